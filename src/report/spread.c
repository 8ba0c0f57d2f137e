// SPDX-License-Identifier: Apache-2.0
// Mean, sample deviation and interval; see spread.h.
#include "report/spread.h"

#include <math.h>

double ohmi_student(int degrees) {
    // 97.5 % quantiles for 1 to 30 degrees of freedom, as printed in any table of the distribution
    static const double table[30] = {
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
        2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    };
    if (degrees < 1) {
        return (double)NAN;
    }
    // beyond, the first terms of its expansion around the normal quantile z: z + (z^3 + z) / (4 df)
    const double z = 1.959964;
    return degrees <= 30 ? table[degrees - 1] : z + (z * z * z + z) / (4.0 * degrees);
}

ohmi_spread ohmi_spread_of(const double *values, int n) {
    ohmi_spread out = {0, (double)NAN, (double)NAN, (double)NAN};
    double sum = 0.0;
    for (int i = 0; i < n; ++i) {
        if (isfinite(values[i])) {
            sum += values[i];
            out.n += 1;
        }
    }
    if (out.n == 0) {
        return out;
    }
    out.mean = sum / out.n;
    if (out.n < 2) {
        return out;
    }

    // around the mean, so that equal values have a deviation of zero or next to it
    double squares = 0.0;
    for (int i = 0; i < n; ++i) {
        if (isfinite(values[i])) {
            squares += (values[i] - out.mean) * (values[i] - out.mean);
        }
    }
    out.deviation = sqrt(squares / (out.n - 1));
    out.interval = ohmi_student(out.n - 1) * out.deviation / sqrt(out.n);
    return out;
}
