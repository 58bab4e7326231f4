use super::*;
use crate::features::fees::{FeeWindow, WARM, WINDOW, log_tip};
use proptest::prelude::*;

const GWEI: u128 = 1_000_000_000;

fn window(tips: impl IntoIterator<Item = u128>) -> FeeWindow {
    let mut window = FeeWindow::default();
    tips.into_iter().for_each(|tip| window.push(log_tip(tip)));
    window
}

#[test]
fn nothing_is_judged_before_the_window_is_warm() {
    let cold = window((0..WARM as u128 - 1).map(|i| i * GWEI));
    assert_eq!(cold.judge(log_tip(GWEI)), (MISSING, MISSING));
}

#[test]
fn the_rank_is_the_share_below_plus_half_of_the_equal() {
    // 1 to 40 gwei, and 20 gwei four times in all.
    let window = window((1..=40).chain([20; 3]).map(|i| i * GWEI));
    assert_eq!(window.judge(log_tip(20 * GWEI)).0, 21.0 / 43.0);
    assert_eq!(window.judge(log_tip(0)).0, 0.0);
    assert_eq!(window.judge(log_tip(1000 * GWEI)).0, 1.0);
    assert_eq!(window.judge(log_tip(40 * GWEI)).0, 42.5 / 43.0);
}

#[test]
fn an_outlier_is_beyond_three_and_a_half_robust_sigmas() {
    // ln(1+tip): 20 values of 10, 20 of 12, so the median is 11 and the MAD 1.
    let values = (0..40).map(|i| if i % 2 == 0 { 10.0 } else { 12.0 });
    let mut window = FeeWindow::default();
    values.for_each(|y| window.push(y));
    let limit = 3.5 * 1.4826;
    assert_eq!(window.judge(11.0 + limit - 1e-6).1, 0.0);
    assert_eq!(window.judge(11.0 + limit + 1e-6).1, 1.0);
    assert_eq!(window.judge(11.0 - limit - 1e-6).1, 1.0);
}

#[test]
fn one_and_the_same_tip_makes_any_other_an_outlier() {
    let window = window([GWEI; 100]);
    assert_eq!(window.judge(log_tip(GWEI)), (0.5, 0.0));
    assert_eq!(window.judge(log_tip(2 * GWEI)), (1.0, 1.0));
}

/// By sorting everything anew.
fn reference(values: &[f64], y: f64) -> (f64, f64, f64) {
    let median_of = |mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        (v[(v.len() - 1) / 2] + v[v.len() / 2]) / 2.0
    };
    let below = values.iter().filter(|v| **v < y).count() as f64;
    let equal = values.iter().filter(|v| **v == y).count() as f64;
    let median = median_of(values.to_vec());
    let mad = median_of(values.iter().map(|v| (v - median).abs()).collect());
    ((below + equal / 2.0) / values.len() as f64, median, mad)
}

proptest! {
    #[test]
    fn rank_median_and_deviation_agree_with_sorting(
        tips in prop::collection::vec(prop_oneof![0_u128..50, 0..100 * GWEI, any::<u128>()], 1..200),
        y in 0_u128..100 * GWEI,
    ) {
        let window = window(tips.iter().copied());
        let values: Vec<f64> = tips.iter().map(|t| log_tip(*t)).collect();
        let (rank, median, mad) = reference(&values, log_tip(y));
        prop_assert!((window.median() - median).abs() < 1e-12);
        prop_assert!((window.mad(median) - mad).abs() < 1e-12);
        if tips.len() >= WARM {
            prop_assert_eq!(window.judge(log_tip(y)).0, rank as f32);
        }
    }

    #[test]
    fn a_full_window_holds_the_last_values(seed in any::<u64>()) {
        let mut state = seed | 1;
        let tips: Vec<u128> = (0..WINDOW + 700).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u128::from(state % 5000) * GWEI / 100
        }).collect();
        let window = window(tips.iter().copied());
        let values: Vec<f64> = tips[700..].iter().map(|t| log_tip(*t)).collect();
        let (rank, median, mad) = reference(&values, log_tip(GWEI));
        prop_assert_eq!(window.judge(log_tip(GWEI)).0, rank as f32);
        prop_assert!((window.median() - median).abs() < 1e-12);
        prop_assert!((window.mad(median) - mad).abs() < 1e-12);
    }
}
