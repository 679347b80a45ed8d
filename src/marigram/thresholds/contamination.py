"""A tail under contamination: average over fits that each leave out one suspect window of bins.

Anomalies are part of the sample that the tail is learned from.  Excluding points because they were called anomalies
feeds the decision back into itself; believing all of them makes the 1 % quantile an anomaly.  Here a *bump* in the
histogram is what is not believed: for every window w of adjacent bins the tail is fitted without w (as missing, not
as censored), its fit is worth exp(gain_w),

    gain_w = D_none - D_w - 6,

D being half the Poisson deviance of the included bins plus the prior, and a bin of w costing its deviance when it has
too few (contamination can only add), else 1 nat.  Parameters are averaged with these weights; no winner takes all.
Fitting every window would cost 0.15 ms.  Prefix sums give each window's one-step gain in O(1), and only windows that
could carry weight are fitted.
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import log
from marigram.numerics.grid import EDGES
from marigram.numerics.jit import part
from marigram.thresholds.gpd import (
    Q1,
    Q2,
    TOP,
    XI_PRIOR,
    XI_SD,
    P,
    bin_terms,
    fit,
    last_bin,
    prior_deviance,
    survival,
)

PRICE = 6.0
"""Nats a window must gain before it is believed as much as no window."""
BIN_PRICE = 1.0
WORTH_FITTING = 4.0
"""A window whose one-step gain is this far below zero is not fitted: its weight would be under 2 %."""
NEAR = 0.02
WIDTHS = (1, 2, 3, 4, 7, 0)
"""Bins left out together; 0 means to the end."""
SUMS = 10
LEFT = 3 + SUMS + 1
ROWS = LEFT + 1
"""Rows of the work array: bin terms, prefix sums, window prices, the sums outside a window."""


@part
def bin_deviance(n, m):
    """Half the Poisson deviance of a bin with n events where m were expected."""
    m = max(m, 1e-6)
    return (n * log(n / m) if n > 0 else 0.0) - n + m


@part
def prefix_sums(counts, first, last, end, work, rate):
    """Sums over the bins below k of everything a window's one-step gain needs; ``rate`` is N over mass."""
    for r in range(3, LEFT):
        work[r, first] = 0.0
    for k in range(first, end):
        n = float(counts[k]) if k < last else 0.0
        p = work[P, k]
        d1, d2 = work[Q1, k] / p, work[Q2, k] / p
        work[3, k + 1] = work[3, k] + n
        work[4, k + 1] = work[4, k] + n * d1
        work[5, k + 1] = work[5, k] + n * d2
        work[6, k + 1] = work[6, k] + p
        work[7, k + 1] = work[7, k] + work[Q1, k]
        work[8, k + 1] = work[8, k] + work[Q2, k]
        work[9, k + 1] = work[9, k] + p * d1 * d1
        work[10, k + 1] = work[10, k] + p * d1 * d2
        work[11, k + 1] = work[11, k] + p * d2 * d2
        work[12, k + 1] = work[12, k] + (n * log(n / p) if n > 0 else 0.0)
        m = rate * p
        work[13, k + 1] = work[13, k] + (bin_deviance(n, m) if n < m else BIN_PRICE)


@part
def one_step_gain(first, b1, b2, end, xi, log_beta, work):
    """-D_w - prices after one Newton step from (xi, log_beta), from the prefix sums of that point."""
    left = work[LEFT, :]
    for r in range(SUMS):
        left[r] = work[3 + r, end] - (work[3 + r, b2] - work[3 + r, b1])
    n, mass = left[0], max(left[3], 1e-9)
    u = EDGES[first - 1]
    r1, r2 = left[4] / mass, left[5] / mass
    precision = 1.0 / (XI_SD * XI_SD)
    g1 = left[1] - n * r1 - (xi - XI_PRIOR) * precision
    g2 = left[2] - n * r2 - (log_beta - math.log(0.5 * u))
    i11 = n * (left[6] / mass - r1 * r1) + precision
    i12 = n * (left[7] / mass - r1 * r2)
    i22 = n * (left[8] / mass - r2 * r2) + 1.0
    det = max(i11 * i22 - i12 * i12, 1e-9)
    step_gain = 0.5 * (i22 * g1 * g1 - 2.0 * i12 * g1 * g2 + i11 * g2 * g2) / det
    deviance = left[9] - (n * log(n / mass) if n > 0 else 0.0) + prior_deviance(xi, log_beta, u)
    return step_gain - deviance - (work[13, b2] - work[13, b1])


@part
def deviance_without(counts, first, last, b1, b2, xi, log_beta, rate, work):
    """D_w, exactly, from the bin terms of the window's own fit."""
    total = prior_deviance(xi, log_beta, EDGES[first - 1])
    for k in range(first, last + 1 if last < TOP else TOP):
        if k < b1 or k >= b2:
            total += bin_deviance(float(counts[k]) if k < last else 0.0, rate * work[P, k])
    return total


@part
def window_price(counts, b1, b2, rate, work):
    """What leaving the bins of a window out costs, and how many events more than expected they hold."""
    price = 0.0
    surplus = 0.0
    for k in range(b1, b2):
        n = float(counts[k])
        m = rate * work[P, k]
        surplus += n - m
        price += bin_deviance(n, m) if n < m else BIN_PRICE
    return price, surplus


@part
def robust_fit(counts, first, xi, log_beta, full_xi, full_log_beta, steps, exceedances, z_reference, work):
    """Average the windows.  Returns full fit (xi, log beta, expected count), average (the same), variance of log S.

    ``xi, log_beta`` start the windows' fits (the last average), ``full_*`` the full one.  ``z_reference`` < 0 asks for
    the variance between windows at the full fit's own 1/100 exceedance quantile.
    """
    last = last_bin(counts, first)
    end = last + 1 if last < TOP else TOP
    full_xi, full_log_beta, mass, count = fit(
        counts, first, last, first, first, full_xi, full_log_beta, steps + 1, work
    )
    full_count = count / max(mass, 1e-9)
    full_deviance = deviance_without(
        counts, first, last, first, first, full_xi, full_log_beta, full_count, work
    )
    y = z_reference - EDGES[first - 1]
    full_beta = math.exp(full_log_beta)
    reference = math.log(full_count * survival(y, full_xi, full_beta) + 1e-9)

    begin = first
    seen = 0.0
    while begin < last and (seen < 0.5 * exceedances or begin < first + 2):
        seen += counts[begin]
        begin += 1

    gains = work[ROWS:, :]
    for k in range(begin, last):
        for i in range(len(WIDTHS)):
            gains[i, k] = -1e300
    # the last average is a second place to look from, unless it is the same
    places = 2 if abs(xi - full_xi) > NEAR or abs(log_beta - full_log_beta) > NEAR else 1
    for point in range(places):
        if point == 0:
            x0, l0 = full_xi, full_log_beta
        else:
            x0, l0 = xi, log_beta
            bin_terms(first, last, x0, l0, work)
        in_all = 0.0
        mass = 0.0
        for k in range(first, end):
            in_all += counts[k] if k < last else 0
            mass += work[P, k]
        rate = in_all / mass
        prefix_sums(counts, first, last, end, work, rate)
        for b1 in range(begin, last):
            if counts[b1] == 0:
                continue
            for i in range(len(WIDTHS)):
                b2 = b1 + WIDTHS[i] if WIDTHS[i] > 0 else end
                if WIDTHS[i] > 0 and (b2 >= last or counts[b2 - 1] == 0):
                    continue
                held = work[3, b2] - work[3, b1]
                if held <= rate * (work[6, b2] - work[6, b1]):
                    continue  # no surplus, no bump
                # bins beyond the last event are never charged for
                gain = one_step_gain(first, b1, b2, end, x0, l0, work)
                if b2 > last:
                    gain += work[13, b2] - work[13, last]
                gains[i, b1] = max(gains[i, b1], gain + full_deviance - PRICE)

    best = 0.0
    weight = 1.0
    a_xi, a_beta, a_count = full_xi, full_log_beta, math.log(full_count)
    s1 = s2 = 0.0
    for b1 in range(begin, last):
        for i in range(len(WIDTHS)):
            if gains[i, b1] < -WORTH_FITTING:
                continue
            b2 = b1 + WIDTHS[i] if WIDTHS[i] > 0 else end
            x, log_b, mass, count = fit(counts, first, last, b1, b2, xi, log_beta, steps, work)
            rate = count / max(mass, 1e-9)
            price, surplus = window_price(counts, b1, min(b2, last), rate, work)
            if b2 > last:
                surplus -= rate * work[P, last]
            if surplus <= 0.0:
                continue
            gain = (
                full_deviance
                - deviance_without(counts, first, last, b1, b2, x, log_b, rate, work)
                - price
                - PRICE
            )
            if gain > best:
                shrink = math.exp(best - gain)
                weight *= shrink
                a_xi *= shrink
                a_beta *= shrink
                a_count *= shrink
                s1 *= shrink
                s2 *= shrink
                best = gain
            w = math.exp(gain - best)
            if w > 1e-4:
                difference = math.log(rate * survival(y, x, math.exp(log_b)) + 1e-9) - reference
                s1 += w * difference
                s2 += w * difference * difference
                weight += w
                a_xi += w * x
                a_beta += w * log_b
                a_count += w * math.log(rate)
    between = max(s2 / weight - (s1 / weight) ** 2, 0.0)
    return (
        full_xi, full_log_beta, full_count,
        a_xi / weight, a_beta / weight, math.exp(a_count / weight), between,
    )  # fmt: skip
