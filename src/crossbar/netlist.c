// SPDX-License-Identifier: Apache-2.0
// SPICE netlists of arrays; see netlist.h. Nodes: r3 terminal of row 3, w3_5 and b3_5 the two sides
// of its cell in column 5, s5 the end of bit line 5, which the source vs5 holds at 0 V.
#include "crossbar/netlist.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "crossbar/wires.h"

enum { NAME = 32 };

typedef struct {
    FILE *file;
    int rows, columns;
    ohm_wires w;
} netlist;

// The node on word line `row` that is `steps` cells from its driver; -1 is the terminal.
static void word_node(char name[NAME], const netlist *n, int row, int steps) {
    steps = steps > 0 && n->w.word_ohm == 0 ? 0 : steps;
    steps = steps == 0 && n->w.source_ohm == 0 ? -1 : steps;
    if (steps < 0) {
        snprintf(name, NAME, "r%d", row);
    } else {
        snprintf(name, NAME, "w%d_%d", row, n->w.drive_right ? n->columns - 1 - steps : steps);
    }
}

// The node on bit line `column` that is `steps` cells from its sense; -1 is the sense.
static void bit_node(char name[NAME], const netlist *n, int column, int steps) {
    steps = steps > 0 && n->w.bit_ohm == 0 ? 0 : steps;
    steps = steps == 0 && n->w.sense_ohm == 0 ? -1 : steps;
    if (steps < 0) {
        snprintf(name, NAME, "s%d", column);
    } else {
        snprintf(name, NAME, "b%d_%d", n->w.sense_top ? steps : n->rows - 1 - steps, column);
    }
}

// The wires of one line, between neighbouring nodes that are not one.
static void put_line(const netlist *n, char kind, int line, int n_nodes,
                     void (*node)(char name[NAME], const netlist *n, int line, int steps),
                     double first_ohm, double ohm) {
    char a[NAME], b[NAME];
    for (int steps = 0; steps < n_nodes; steps++) {
        node(a, n, line, steps - 1);
        node(b, n, line, steps);
        if (strcmp(a, b) != 0) {
            fprintf(n->file, "r%c%d_%d %s %s %.17g\n", kind, line, steps, a, b,
                    steps == 0 ? first_ohm : ohm);
        }
    }
}

static void put_all(const netlist *n, const double *conductance, const double *voltage,
                    ohm_cells cells) {
    char a[NAME], b[NAME];
    fprintf(n->file,
            "* array of %d rows and %d columns: word %.9g, bit %.9g, source %.9g, sense %.9g ohm\n",
            n->rows, n->columns, n->w.word_ohm, n->w.bit_ohm, n->w.source_ohm, n->w.sense_ohm);
    for (int i = 0; i < n->rows; i++) {
        fprintf(n->file, "vr%d r%d 0 dc %.17g\n", i, i, voltage != NULL ? voltage[i] : 1.0);
        put_line(n, 'w', i, n->columns, word_node, n->w.source_ohm, n->w.word_ohm);
    }
    for (int j = 0; j < n->columns; j++) {
        fprintf(n->file, "vs%d s%d 0 dc 0\n", j, j);
        put_line(n, 'b', j, n->rows, bit_node, n->w.sense_ohm, n->w.bit_ohm);
    }
    for (int i = 0; i < n->rows; i++) {
        for (int j = 0; j < n->columns; j++) {
            const double g = conductance[(ptrdiff_t)i * n->columns + j];
            const int is_off = cells == OHM_CELLS_1T1R && voltage != NULL && voltage[i] == 0;
            if (g > 0 && !is_off) {
                word_node(a, n, i, n->w.drive_right ? n->columns - 1 - j : j);
                bit_node(b, n, j, n->w.sense_top ? i : n->rows - 1 - i);
                fprintf(n->file, "rc%d_%d %s %s %.17g\n", i, j, a, b, 1 / g);
            }
        }
    }

    // the defaults of SPICE are for transistors: errors of 1e-3, currents below 1e-12 A ignored,
    // 1e-12 S to ground
    fprintf(n->file, ".options reltol=1e-12 abstol=1e-25 vntol=1e-20 gmin=1e-25\n.control\n"
                     "set numdgt=15\nop\n");
    for (int j = 0; j < n->columns; j++) {
        fprintf(n->file, "print i(vs%d)\n", j);
    }
    fprintf(n->file, "quit\n.endc\n.end\n");
}

ohm_status ohmi_netlist_write(const char *path, const double *conductance, const double *voltage,
                              int rows, int columns, ohm_cells cells, const ohm_wires *wires,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_atomic_file file = {0};
    netlist n = {.rows = rows, .columns = columns};
    OHM_TRY(ohmi_wires_check(&n.w, wires, err));
    OHM_TRY(ohmi_atomic_open(&file, path, err));
    n.file = file.file;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    put_all(&n, conductance, voltage, cells);
    ohmi_c_locale_leave(&locale);
    if (ferror(file.file)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s'", path);
        ohmi_hint(err, "is the disk full?");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    OHM_TRY(ohmi_atomic_commit(&file, err));

done:
    ohmi_atomic_abort(&file);
    return status;
}
