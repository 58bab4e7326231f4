//! Amounts that code has as constants: who attacks knows beforehand how much to borrow.

/// The longest that is an amount: 16 bytes, 10²⁰ units of 18 decimals.
const LONGEST: usize = 16;
const THOUSANDTH: u128 = 10_u128.pow(15);
const WHOLE: u128 = 10_u128.pow(18);

/// Places with round constants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// 10¹⁸ itself: most arithmetic on prices has it.
    pub one: u32,
    /// Other multiples of 10¹⁸.
    pub whole: u32,
    /// Other multiples of 10¹⁵.
    pub thousandths: u32,
    /// Of 5 to 16 bytes, and not round.
    pub odd: u32,
    /// 2²⁵⁶ − 1, or 2^k − 1 for another usual k: all that there is.
    pub most: u32,
}

impl Amounts {
    #[inline]
    pub fn note(&mut self, data: &[u8]) {
        if data.len() < 5 {
            return;
        }
        if data.iter().all(|byte| *byte == 0xff) {
            self.most += u32::from(data.len() == 32);
            return;
        }
        if data.len() > LONGEST {
            return;
        }
        let value = data
            .iter()
            .fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
        match value {
            WHOLE => self.one += 1,
            _ if value.is_power_of_two() || value == 0 => {}
            _ if value % WHOLE == 0 => self.whole += 1,
            _ if value % THOUSANDTH == 0 => self.thousandths += 1,
            _ => self.odd += 1,
        }
    }
}
