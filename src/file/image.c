// SPDX-License-Identifier: Apache-2.0
// Image files. Sizes are checked against limits before anything of that size is allocated. A JPEG
// is decoded with the exact ("accurate") inverse transform, so that its pixels do not depend on the
// machine's fast paths more than the library's own promise.
#include "file/image.h"

#include <string.h>

#include <spng.h>
#include <turbojpeg.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

#define FILE_LIMIT ((size_t)256 << 20) // bytes of an image file

// Allocates pixels for a checked size.
static ohm_status new_pixels(ohmi_image *image, int64_t height, int64_t width, const char *path,
                             ohm_error *err) {
    if (height < 1 || width < 1 || height > OHMI_IMAGE_SIDE || width > OHMI_IMAGE_SIDE ||
        height * width > OHMI_IMAGE_PIXELS) {
        ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is %lld x %lld pixels", path, (long long)width,
                  (long long)height);
        ohmi_hint(err, "images have 1 to %d pixels a side", OHMI_IMAGE_SIDE);
        return OHM_ERR_FORMAT;
    }
    image->height = (int)height;
    image->width = (int)width;
    image->pixels = ohmi_alloc((size_t)height * (size_t)width, 3);
    return image->pixels != NULL ? OHM_OK
                                 : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
}

static ohm_status decode_jpeg(ohmi_image *image, const uint8_t *bytes, size_t size,
                              const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    int width = 0, height = 0, sampling = 0, space = 0;
    tjhandle decoder = tjInitDecompress();
    if (decoder == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot start the JPEG decoder");
    }
    if (tjDecompressHeader3(decoder, bytes, (unsigned long)size, &width, &height, &sampling,
                            &space) != 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s': %s", path, tjGetErrorStr2(decoder));
        goto done;
    }
    OHM_TRY(new_pixels(image, height, width, path, err));
    // a file that is cut short only warns; half an image is no image
    if (tjDecompress2(decoder, bytes, (unsigned long)size, image->pixels, width, 0, height,
                      TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s': %s", path, tjGetErrorStr2(decoder));
    }

done:
    tjDestroy(decoder);
    return status;
}

static ohm_status decode_png(ohmi_image *image, const uint8_t *bytes, size_t size, const char *path,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    struct spng_ihdr head;
    size_t needed = 0;
    int code = 0;
    spng_ctx *decoder = spng_ctx_new(0);
    if (decoder == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot start the PNG decoder");
    }
    spng_set_image_limits(decoder, OHMI_IMAGE_SIDE, OHMI_IMAGE_SIDE);
    spng_set_chunk_limits(decoder, FILE_LIMIT, FILE_LIMIT);
    if ((code = spng_set_png_buffer(decoder, bytes, size)) != 0 ||
        (code = spng_get_ihdr(decoder, &head)) != 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s': %s", path, spng_strerror(code));
        goto done;
    }
    OHM_TRY(new_pixels(image, head.height, head.width, path, err));
    if ((code = spng_decoded_image_size(decoder, SPNG_FMT_RGB8, &needed)) != 0 ||
        needed != (size_t)image->height * (size_t)image->width * 3 ||
        (code = spng_decode_image(decoder, image->pixels, needed, SPNG_FMT_RGB8, 0)) != 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s': %s", path, spng_strerror(code));
    }

done:
    spng_ctx_free(decoder);
    return status;
}

ohm_status ohmi_image_load(ohmi_image *image, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    size_t size = 0;
    *image = (ohmi_image){0};
    OHM_TRY(ohmi_read_file(&bytes, &size, path, FILE_LIMIT, err));
    const uint8_t *data = (const uint8_t *)bytes;
    if (size >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0) {
        OHM_TRY(decode_jpeg(image, data, size, path, err));
    } else if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0) {
        OHM_TRY(decode_png(image, data, size, path, err));
    } else {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is neither a JPEG nor a PNG file", path);
    }

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        ohmi_free(image->pixels);
        *image = (ohmi_image){0};
    }
    ohmi_free(bytes);
    return status;
}
