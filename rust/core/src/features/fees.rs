//! The effective tips of the last pending transactions: features 10 and 11.

use super::MISSING;
use std::collections::VecDeque;

/// Transactions remembered.
pub(super) const WINDOW: usize = 2048;
/// With fewer, a rank or a deviation says nothing.
pub(super) const WARM: usize = 32;
/// ε of the robust deviation, so that a window of one and the same tip does not divide by zero.
const EPSILON: f64 = 1e-9;
/// A normal distribution's standard deviation is this many times its MAD.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Iglewicz and Hoaglin's cut-off for a modified z-score.
const OUTLIER: f64 = 3.5;

/// Sliding window over y = ln(1 + tip in wei): kept in order of arrival and sorted.
///
/// Ranks, median and MAD are exact for y in double precision; ln is monotone, so the rank of y is the rank of the tip (tips
/// above 10¹⁴ wei per gas that differ by a few wei may tie). One insertion moves at most 16 KiB; queries are binary searches.
#[derive(Debug, Default)]
pub(super) struct FeeWindow {
    arrivals: VecDeque<f64>,
    sorted: Vec<f64>,
}

pub(super) fn log_tip(tip_wei: u128) -> f64 {
    (tip_wei as f64).ln_1p()
}

impl FeeWindow {
    /// (mid-rank 0–1, whether it deviates by more than 3.5 robust sigmas) of `y` among the window; both missing until warm.
    pub fn judge(&self, y: f64) -> (f32, f32) {
        if self.sorted.len() < WARM {
            return (MISSING, MISSING);
        }
        let below = self.sorted.partition_point(|v| *v < y);
        let equal = self.sorted[below..].partition_point(|v| *v <= y);
        let rank = (below as f64 + equal as f64 / 2.0) / self.sorted.len() as f64;
        let median = self.median();
        let deviation = (y - median).abs() / (MAD_TO_SIGMA * self.mad(median) + EPSILON);
        (rank as f32, f32::from(u8::from(deviation > OUTLIER)))
    }

    /// Remembers `y`; the oldest value leaves a full window.
    pub fn push(&mut self, y: f64) {
        let to = self.sorted.partition_point(|v| *v < y);
        self.arrivals.push_back(y);
        if self.arrivals.len() <= WINDOW {
            return self.sorted.insert(to, y);
        }
        let Some(oldest) = self.arrivals.pop_front() else {
            return;
        };
        let from = self.sorted.partition_point(|v| *v < oldest);
        // Only what lies between the two places moves.
        if to > from {
            self.sorted.copy_within(from + 1..to, from);
            self.sorted[to - 1] = y;
        } else {
            self.sorted.copy_within(to..from, to + 1);
            self.sorted[to] = y;
        }
    }

    /// Mean of the two middle values where their number is even.
    pub fn median(&self) -> f64 {
        let n = self.sorted.len();
        (self.sorted[(n - 1) / 2] + self.sorted[n / 2]) / 2.0
    }

    /// Median of |y − median|. The k values nearest to the median are neighbours in the sorted window, so the k-th smallest
    /// deviation is at one of the ends of an interval that a binary search finds.
    pub fn mad(&self, median: f64) -> f64 {
        let v = &self.sorted;
        let n = v.len();
        let k = (n - 1) / 2 + 1;
        // The interval [low, low + k) of the k nearest.
        let (mut low, mut high) = (0, n - k);
        while low < high {
            let middle = usize::midpoint(low, high);
            if median - v[middle] > v[middle + k] - median {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let kth = (median - v[low]).max(v[low + k - 1] - median);
        if n % 2 == 1 {
            return kth;
        }
        let left = if low > 0 {
            median - v[low - 1]
        } else {
            f64::INFINITY
        };
        let right = v.get(low + k).map_or(f64::INFINITY, |v| v - median);
        (kth + left.min(right)) / 2.0
    }
}
