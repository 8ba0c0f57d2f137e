# SPDX-License-Identifier: Apache-2.0
# A small HTTP server on the loopback for the tests of `ohmwise data get`, with the faults of real
# ones: python3 range_server.py FOLDER PORT_FILE serves the files of FOLDER under
#   /ranges/NAME   answers Range requests
#   /whole/NAME    does not
#   /cut/N/NAME    says the true length, closes after N bytes
#   /slow/NAME     a little at a time, for minutes
# and writes its port into PORT_FILE, and a line "BEGIN NAME" for each body into PORT_FILE.log.
import http.server
import os
import sys
import time

folder, port_file = sys.argv[1:3]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        path = os.path.join(folder, os.path.basename(parts[-1]))
        if parts[0] not in ("ranges", "whole", "cut", "slow") or not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        begin = 0
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and parts[0] in ("ranges", "cut"):
            begin = int(wanted[6:].split("-")[0])
        if begin >= size:
            self.send_response(416)
            self.send_header("Content-Range", "bytes */%d" % size)
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (begin, size - 1, size))
        self.send_header("Content-Length", str(size - begin))
        self.end_headers()
        with open(port_file + ".log", "a") as log:
            log.write("%d %s\n" % (begin, parts[-1]))
        with open(path, "rb") as file:
            file.seek(begin)
            left = int(parts[1]) if parts[0] == "cut" else size
            try:
                while left > 0:
                    piece = file.read(min(left, 100 if parts[0] == "slow" else 1 << 20))
                    if not piece:
                        break
                    self.wfile.write(piece)
                    self.wfile.flush()
                    left -= len(piece)
                    if parts[0] == "slow":
                        time.sleep(0.05)
            except OSError:
                pass  # the program has hung up
        self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(port_file + ".new", "w") as out:
    out.write(str(server.server_address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
