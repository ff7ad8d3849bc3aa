//! The time code in pictures of others: any plane is read, and what is stamped into it is found again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::media::time_code::{read, stamp};

fuzz_target!(|input: &[u8]| {
    let Some((&[stride, width, height, micros], luma)) = input.split_first_chunk() else {
        return;
    };
    let (stride, width, height) = (4 * usize::from(stride), 4 * usize::from(width), usize::from(height));
    let _ = read(luma, stride, width, height);
    // 160x16 is the smallest picture that carries one.
    let mut luma = luma.to_vec();
    luma.resize(luma.len().max(stride * height), 0);
    stamp(&mut luma, stride, width, height, micros.into());
    if let Some(found) = read(&luma, stride, width, height) {
        assert_eq!(found, u64::from(micros));
    }
});
