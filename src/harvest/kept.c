// SPDX-License-Identifier: Apache-2.0
// The file of cases that are done; see kept.h.
//
//     head (one line: what this is, version)  digest of the cases (64)
//     is_done (n_cases)  results (n_cases, result_bytes)  digest of all before (64)
#include "harvest/kept.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "ohmwise/system.h"

enum { DIGEST = 64, HEAD = 96 };

const char ohmi_kept_name[] = "harvest.kept";

// of the machine and version that can read it: results are kept as they lie in memory
static void head_of(char head[HEAD + 1]) {
    const uint16_t one = 1;
    memset(head, 0, HEAD + 1);
    (void)snprintf(head, HEAD, "ohmwise harvest, cases kept, %.24s, %d bytes%s\n", ohm_version(),
                   (int)sizeof(ohmi_case_result), *(const uint8_t *)&one ? "" : ", big");
}

static void add_front(ohmi_sha256 *hash, const ohmi_front *front) {
    for (int i = 0; i < front->n; i++) {
        const double numbers[] = {front->modes[i].power_w, front->modes[i].step_s,
                                  front->modes[i].tile_j, front->modes[i].layer_s,
                                  (double)front->modes[i].copies};
        ohmi_sha256_add(hash, numbers, sizeof numbers);
    }
}

static void add_modes(ohmi_sha256 *hash, const ohmi_machine *m, const ohmi_layer_modes *modes) {
    const double machine[] = {m->base_w, m->wake_s, m->wake_w, m->macs, (double)m->task};
    ohmi_sha256_add(hash, machine, sizeof machine);
    for (int l = 0; l < m->n_layers; l++) {
        add_front(hash, &modes[l].full);
        add_front(hash, &modes[l].tiled);
        add_front(hash, &modes[l].copied);
    }
}

ohm_status ohmi_kept_digest(char digest[65], const ohm_harvest *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *text = NULL;
    ohmi_sha256 hash;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(ohm_config_text(&text, h->config, err));
    ohmi_sha256_init(&hash);
    ohmi_sha256_add(&hash, text, strlen(text));
    for (int n = 0; n < h->n_networks; n++) {
        const ohmi_case_network *network = &h->networks[n];
        add_modes(&hash, network->machine, network->modes);
        for (int v = 0; network->levels && v < network->levels->n; v++) {
            add_modes(&hash, network->levels->level[v].machine, network->levels->level[v].modes);
        }
    }
    for (int t = 0; t < h->n_traces; t++) {
        const ohmi_power_statistics *s = h->traces[t].statistics;
        const double numbers[] = {(double)h->traces[t].seed, (double)s->n_segments, s->duration_s,
                                  s->energy_j, s->peak_w};
        ohmi_sha256_add(&hash, numbers, sizeof numbers);
        ohmi_sha256_add(&hash, s->bin_s, sizeof s->bin_s);
        ohmi_sha256_add(&hash, s->bin_j, sizeof s->bin_j);
    }
    ohmi_sha256_hex(&hash, digest);
done:
    ohm_text_free(&text);
    ohmi_c_locale_leave(&locale);
    return status;
}

static size_t size_of(const ohm_harvest *h) {
    return HEAD + DIGEST + (size_t)ohm_harvest_cases(h) * (1 + h->result_bytes) + DIGEST;
}

static void digest_of(char digest[65], const void *bytes, size_t size) {
    ohmi_sha256 hash;
    ohmi_sha256_init(&hash);
    ohmi_sha256_add(&hash, bytes, size);
    ohmi_sha256_hex(&hash, digest);
}

ohm_status ohmi_kept_read(uint8_t *is_done, ohm_harvest *h, const char *path, const char *digest,
                          ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t size = size_of(h), n = (size_t)ohm_harvest_cases(h);
    char head[HEAD + 1], found[65], *bytes = NULL;
    size_t n_bytes = 0;
    if (access(path, F_OK) != 0) {
        return OHM_OK;
    }
    // of other cases, by another version, or all of it
    OHM_TRY(ohmi_read_file(&bytes, &n_bytes, path, (size_t)1 << 40, err));
    head_of(head);
    const size_t known = n_bytes < HEAD + DIGEST ? n_bytes : HEAD + DIGEST;
    const size_t of_head = known < HEAD ? known : HEAD;
    if (memcmp(bytes, head, of_head) != 0 ||
        memcmp(bytes + of_head, digest, known - of_head) != 0) {
        goto done;
    }
    if (n_bytes == size) {
        digest_of(found, bytes, size - DIGEST);
    }
    if (n_bytes != size || memcmp(found, bytes + size - DIGEST, DIGEST) != 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the cases kept in '%s' are damaged", path);
        ohmi_hint(err, "remove the file: all cases are run again");
        goto done;
    }
    memcpy(is_done, bytes + HEAD + DIGEST, n);
    memcpy(h->results, bytes + HEAD + DIGEST + n, n * h->result_bytes);
done:
    ohmi_free(bytes);
    return status;
}

ohm_status ohmi_kept_write(const uint8_t *is_done, const ohm_harvest *h, const char *path,
                           const char *digest, ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t size = size_of(h), n = (size_t)ohm_harvest_cases(h);
    char head[HEAD + 1], own[65], folder[1024];
    char *bytes = ohmi_alloc(size, 1);
    if (!bytes) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to keep the cases that are done");
        goto done;
    }
    head_of(head);
    memcpy(bytes, head, HEAD);
    memcpy(bytes + HEAD, digest, DIGEST);
    memcpy(bytes + HEAD + DIGEST, is_done, n);
    // what is half done is not kept
    for (size_t i = 0; i < n; i++) {
        if (is_done[i]) {
            memcpy(bytes + HEAD + DIGEST + n + i * h->result_bytes,
                   h->results + i * h->result_bytes, h->result_bytes);
        }
    }
    digest_of(own, bytes, size - DIGEST);
    memcpy(bytes + size - DIGEST, own, DIGEST);
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = 0;
        OHM_TRY(ohmi_make_folder(folder, err));
    }
    OHM_TRY(ohmi_write_file(path, bytes, size, err));
done:
    ohmi_free(bytes);
    return status;
}
