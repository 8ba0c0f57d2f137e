// SPDX-License-Identifier: Apache-2.0
// Mean and spread of a few measurements, as of one config with several seeds:
//
//     mean      = sum x_i / n
//     deviation = sqrt(sum (x_i - mean)^2 / (n - 1))             the sample's, NAN for n < 2
//     interval  = t(n - 1) * deviation / sqrt(n)                 half of the 95 % interval of the
//     mean
//
// t: 97.5 % quantile of Student's t distribution with n - 1 degrees of freedom.
#ifndef OHMI_REPORT_SPREAD_H
#define OHMI_REPORT_SPREAD_H

typedef struct {
    int n;            // finite values; the others are left out
    double mean;      // NAN for n = 0
    double deviation; // NAN for n < 2
    double interval;  // NAN for n < 2
} ohmi_spread;

// values (n)
ohmi_spread ohmi_spread_of(const double *values, int n);
// The quantile t; degrees >= 1.
double ohmi_student(int degrees);

#endif
