// SPDX-License-Identifier: Apache-2.0
// Downloads, from a small HTTP server that this test runs in a thread of its own on the loopback:
// whole, continued, cut off, without ranges, not found, stopped, and with the wrong content.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/transfer.h"
#include "ohmwise/data.h"
#include "scratch.h"

// The server: GET of files in the scratch folder's "www".
static struct {
    int listener, port;
    pthread_t thread;
    int ranges;         // whether it can do ranges
    int64_t cut;        // closes after that many bytes of a body; < 0 = never
    int n_requests;     // so far
    int64_t last_begin; // where the last answer began
} server;

static void send_all(int to, const void *bytes, size_t size) {
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(to, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        sent += (size_t)n;
    }
}

// Answers one request.
static void answer(int to) {
    char request[4096] = "", name[256] = "", path[512], head[512];
    size_t size = 0;
    while (strstr(request, "\r\n\r\n") == NULL && size < sizeof request - 1) {
        ssize_t n = recv(to, request + size, sizeof request - 1 - size, 0);
        if (n <= 0) {
            return;
        }
        size += (size_t)n;
        request[size] = '\0';
    }
    server.n_requests++;
    sscanf(request, "GET /%255s", name);
    snprintf(path, sizeof path, "%s/www/%s", scratch, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        static const char missing[] =
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone";
        send_all(to, missing, strlen(missing));
        return;
    }
    fseek(file, 0, SEEK_END);
    long whole = ftell(file), begin = 0;
    const char *range = strstr(request, "Range: bytes=");
    if (range != NULL && server.ranges) {
        begin = strtol(range + 13, NULL, 10);
    }
    server.last_begin = begin;
    if (begin >= whole && whole > 0) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes "
                 "*/%ld\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 whole);
        send_all(to, head, strlen(head));
        fclose(file);
        return;
    }
    if (begin > 0) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %ld-%ld/%ld\r\n"
                 "Content-Length: %ld\r\nConnection: close\r\n\r\n",
                 begin, whole - 1, whole, whole - begin);
    } else {
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\nConnection: close\r\n\r\n", whole);
    }
    send_all(to, head, strlen(head));
    fseek(file, begin, SEEK_SET);
    static char chunk[1 << 16];
    int64_t left = server.cut >= 0 ? server.cut : INT64_MAX;
    for (size_t n; left > 0 && (n = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        n = (int64_t)n < left ? n : (size_t)left;
        send_all(to, chunk, n);
        left -= (int64_t)n;
    }
    fclose(file);
}

static void *serve(void *context) {
    (void)context;
    for (;;) {
        int to = accept(server.listener, NULL, NULL);
        if (to < 0) {
            return NULL;
        }
        answer(to);
        shutdown(to, SHUT_WR);
        close(to);
    }
}

static int set_up(void **state) {
    static const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        unsetenv(proxies[i]);
    }
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (scratch_begin(state) != 0 || server.listener < 0 ||
        bind(server.listener, (struct sockaddr *)&place, size) != 0 ||
        listen(server.listener, 8) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&place, &size) != 0) {
        return 1;
    }
    server.port = ntohs(place.sin_port);
    server.ranges = 1;
    server.cut = -1;
    scratch_folder("www");
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int tear_down(void **state) {
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    return scratch_end(state);
}

static const char *url_of(const char *name) {
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", server.port, name);
    return url;
}

enum { SIZE = 300000 };
static uint8_t content[SIZE];

// Whether a scratch file holds exactly the first n bytes of the content.
static int holds(const char *name, size_t n) {
    static uint8_t back[SIZE + 1];
    FILE *file = fopen(scratch_path(name), "rb");
    size_t size = file != NULL ? fread(back, 1, sizeof back, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return file != NULL && size == n && memcmp(back, content, n) == 0;
}

static int64_t last_done, last_total;
static const char *wanted_name; // what is being fetched
static int n_misnamed;          // a failing assertion must not jump out of libcurl, so this counts
static int watch(void *context, const char *what, int64_t done, int64_t total) {
    n_misnamed += strcmp(what, wanted_name) != 0;
    last_done = done;
    last_total = total > 0 ? total : last_total;
    return context != NULL && done > 0;
}

static ohm_status fetch(const char *name, int64_t limit, void *stop, ohm_error *err) {
    n_misnamed = 0;
    wanted_name = name;
    ohm_status status = ohmi_transfer(scratch_path("got"), url_of(name), limit, watch, stop, err);
    assert_int_equal(n_misnamed, 0);
    return status;
}

static void test_transfer(void **state) {
    (void)state;
    ohm_error err = {0};
    for (size_t i = 0; i < SIZE; i++) {
        content[i] = (uint8_t)(i * 40503 >> 9);
    }
    scratch_write("www/file", content, SIZE);

    // whole
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_OK);
    assert_true(holds("got", SIZE));
    assert_false(scratch_has("got.part"));
    assert_int_equal(last_done, SIZE);
    assert_int_equal(last_total, SIZE);
    remove(scratch_path("got"));

    // cut off: what came is kept; then continued from there
    server.cut = 100000;
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_ERR_IO);
    assert_non_null(strstr(err.hint, "run the same command again"));
    assert_false(scratch_has("got"));
    assert_true(holds("got.part", 100000));
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_ERR_IO);
    assert_int_equal(server.last_begin, 100000);
    assert_true(holds("got.part", 200000));
    server.cut = -1;
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_OK);
    assert_int_equal(server.last_begin, 200000);
    assert_int_equal(last_total, SIZE);
    assert_true(holds("got", SIZE));
    remove(scratch_path("got"));

    // a server without ranges is asked for the whole
    scratch_write("got.part", content, 5000);
    server.ranges = 0;
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_OK);
    assert_true(holds("got", SIZE));
    server.ranges = 1;
    remove(scratch_path("got"));

    // a part that is complete, one that is too long
    scratch_write("got.part", content, SIZE);
    assert_int_equal(fetch("file", SIZE, NULL, &err), OHM_OK);
    assert_true(holds("got", SIZE));
    remove(scratch_path("got"));
}

static void test_transfer_refused(void **state) {
    (void)state;
    ohm_error err = {0};
    assert_int_equal(fetch("none", SIZE, NULL, &err), OHM_ERR_IO);
    assert_non_null(strstr(err.message, "404"));
    assert_false(scratch_has("got.part"));

    // longer than allowed
    assert_int_equal(fetch("file", SIZE - 1, NULL, &err), OHM_ERR_FORMAT);
    assert_false(scratch_has("got.part"));
    assert_false(scratch_has("got"));

    // stopped by the caller
    assert_int_equal(fetch("file", SIZE, &err, &err), OHM_ERR_INTERRUPTED);
    assert_false(scratch_has("got"));
    remove(scratch_path("got.part"));

    // other kinds of addresses, nobody there
    assert_int_equal(
        ohmi_transfer(scratch_path("got"), "file:///etc/passwd", SIZE, NULL, NULL, &err),
        OHM_ERR_IO);
    assert_int_equal(
        ohmi_transfer(scratch_path("got"), "http://127.0.0.1:1/x", SIZE, NULL, NULL, &err),
        OHM_ERR_IO);
    assert_false(scratch_has("got"));
    assert_false(scratch_has("got.part"));
}

// An IDX file of the right form whose data is zero, or counts through the labels.
static void write_idx(const char *name, int n, int side) {
    uint8_t head[16] = {
        0, 0, 8, (uint8_t)(side > 0 ? 3 : 1), 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, 28, 0,
        0, 0, 28};
    static uint8_t rows[28 * 28];
    gzFile file = gzopen(scratch_path(name), "wb1");
    gzwrite(file, head, side > 0 ? 16 : 8);
    for (int i = 0; i < n; i++) {
        rows[0] = (uint8_t)(side > 0 ? i >> 8 : i % 10);
        gzwrite(file, rows, side > 0 ? sizeof rows : 1);
    }
    assert_int_equal(gzclose(file), Z_OK);
}

// Everything arrives, but it is not Fashion-MNIST: nothing stays.
static void test_wrong_content(void **state) {
    (void)state;
    ohm_error err = {0};
    write_idx("www/train-images-idx3-ubyte.gz", 60000, 28);
    write_idx("www/train-labels-idx1-ubyte.gz", 60000, 0);
    write_idx("www/t10k-images-idx3-ubyte.gz", 10000, 28);
    int before = server.n_requests;
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err),
        OHM_ERR_IO); // the labels of the test images are missing; the rest is kept
    assert_int_equal(server.n_requests, before + 4);
    assert_int_equal(scratch_count("data"), 1);
    write_idx("www/t10k-labels-idx1-ubyte.gz", 10000, 0);
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err),
        OHM_ERR_CHECK);
    assert_int_equal(server.n_requests, before + 5);
    assert_non_null(strstr(err.message, "digest"));
    assert_int_equal(scratch_count("data"), 0);

    // an archive that is none, and one whose digest is known to be another
    assert_int_equal(
        ohm_data_get("cifar100", scratch_path("data"), url_of("file"), NULL, NULL, &err),
        OHM_ERR_FORMAT);
    assert_int_equal(
        ohm_data_get("cifar10", scratch_path("data"), url_of("file"), NULL, NULL, &err),
        OHM_ERR_CHECK);
    assert_int_equal(
        ohm_data_get("cifar10", scratch_path("data"), url_of("none"), NULL, NULL, &err),
        OHM_ERR_IO);
    assert_int_equal(ohm_data_get("cifar1", scratch_path("data"), NULL, NULL, NULL, &err),
                     OHM_ERR_ARGUMENT);
    assert_int_equal(scratch_count("data"), 0);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Stops once something has come.
static int stop(void *context, const char *what, int64_t done, int64_t total) {
    (void)what;
    (void)total;
    *(int *)context += 1;
    return done > 0;
}

// The name of the folder that holds what came of a stopped download; "" when there is none.
static const char *download_folder(void) {
    static char name[300];
    name[0] = '\0';
    DIR *dir = opendir(scratch_path("data"));
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".download") != NULL) {
            snprintf(name, sizeof name, "data/%s", entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return name;
}

// Nobody there, nothing there, a body that is cut, a user who stops: the data folder has no set,
// and at most the part that came, in a hidden folder of its own, from where the next call goes on.
static void test_no_half_sets(void **state) {
    (void)state;
    ohm_error err = {0};
    char part[512], data[512];
    int n_calls = 0;
    snprintf(data, sizeof data, "%s", scratch_path("data"));
    for (size_t i = 0; i < SIZE; i++) {
        content[i] = (uint8_t)(i * 40503 >> 9);
    }
    scratch_write("www/file", content, SIZE);
    assert_int_equal(ohm_data_get("cifar10", data, "http://127.0.0.1:1/file", NULL, NULL, &err),
                     OHM_ERR_IO);
    assert_non_null(strstr(err.message, "127.0.0.1:1"));
    assert_non_null(strstr(err.hint, "network"));
    assert_int_equal(scratch_count("data"), 0);
    assert_int_equal(ohm_data_get("cifar10", data, "file:///etc/passwd", NULL, NULL, &err),
                     OHM_ERR_IO);
    assert_int_equal(ohm_data_get("cifar10", data, "", NULL, NULL, &err), OHM_ERR_IO);
    assert_int_equal(ohm_data_get("cifar10", NULL, url_of("file"), NULL, NULL, &err),
                     OHM_ERR_ARGUMENT);
    assert_int_equal(scratch_count("data"), 0);

    // stopped
    assert_int_equal(ohm_data_get("cifar10", data, url_of("file"), stop, &n_calls, &err),
                     OHM_ERR_INTERRUPTED);
    assert_true(n_calls > 0);
    assert_non_null(strstr(err.hint, "same command"));
    assert_false(scratch_has("data/cifar10"));
    scratch_remove(scratch_path("data"));

    // cut, and cut again further on
    server.cut = 1000;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ohm_data_get("cifar10", data, url_of("file"), NULL, NULL, &err),
                         OHM_ERR_IO);
        assert_int_equal(server.last_begin, (i - 1) * 1000);
        assert_int_equal(scratch_count("data"), 1);
        snprintf(part, sizeof part, "%s/cifar-10-binary.tar.gz.part", download_folder());
        assert_true(holds(part, (size_t)i * 1000));
    }

    // another address does not go on with the part of this one
    scratch_write("www/other", content, 500);
    server.cut = -1;
    assert_int_equal(ohm_data_get("cifar10", data, url_of("other"), NULL, NULL, &err),
                     OHM_ERR_CHECK);
    assert_int_equal(server.last_begin, 0);
    assert_true(holds(part, 3000));

    // the whole file, which is not the set: the part goes away with it
    assert_int_equal(ohm_data_get("cifar10", data, url_of("file"), NULL, NULL, &err),
                     OHM_ERR_CHECK);
    assert_int_equal(server.last_begin, 3000);
    assert_non_null(strstr(err.message, "digest"));
    assert_int_equal(scratch_count("data"), 0);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The real thing, where the Debian package is installed.
static void test_right_content(void **state) {
    (void)state;
    ohm_error err = {0};
    static const char *const names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0) {
        skip();
    }
    for (int i = 0; i < 4; i++) {
        char from[256], to[256];
        snprintf(from, sizeof from, "/usr/share/datasets/fashion-mnist/%s", names[i]);
        snprintf(to, sizeof to, "%s/www/%s", scratch, names[i]);
        remove(to);
        assert_int_equal(symlink(from, to), 0);
    }
    server.cut = 20000000; // the train images are longer
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err),
        OHM_ERR_IO);
    server.cut = -1;
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err), OHM_OK);
    assert_int_equal(scratch_count("data"), 1);
    assert_int_equal(scratch_count("data/fashion-mnist"), 4);

    // there already: nothing is fetched, unless a file is broken
    int before = server.n_requests;
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err), OHM_OK);
    assert_int_equal(server.n_requests, before);
    assert_int_equal(truncate(scratch_path("data/fashion-mnist/t10k-labels-idx1-ubyte"), 9999), 0);
    assert_int_equal(
        ohm_data_get("fashion-mnist", scratch_path("data"), url_of(""), NULL, NULL, &err), OHM_OK);
    assert_int_equal(server.n_requests, before + 4);
    assert_int_equal(ohm_data_verify("fashion-mnist", scratch_path("data"), &err), OHM_OK);
    assert_int_equal(scratch_count("data"), 1);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),      cmocka_unit_test(test_transfer_refused),
        cmocka_unit_test(test_wrong_content), cmocka_unit_test(test_no_half_sets),
        cmocka_unit_test(test_right_content),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
