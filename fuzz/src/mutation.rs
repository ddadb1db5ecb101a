//! Makes inputs out of inputs, from a seed: what the tests use in place of libFuzzer. It knows no
//! coverage, but the same words.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Longest input; beyond it one is cut.
const LONGEST: usize = 8 * 1024;

/// Most changes to one input.
const CHANGES: usize = 4;

/// A source of inputs that follow from a seed.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    words: &'a [Vec<u8>],
    random: ChaCha8Rng,
}

impl<'a> Mutator<'a> {
    /// Makes inputs of those in `corpus` and of `words`; neither may be empty.
    #[must_use]
    pub fn new(corpus: &'a [Vec<u8>], words: &'a [Vec<u8>], seed: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self {
            corpus,
            words,
            random,
        }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.chosen(self.corpus).to_vec();
        for _ in 0..self.random.random_range(0..=CHANGES) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.random_range(0..=input.len());
        let range = at..self.random.random_range(at..=input.len());
        match self.random.random_range(0..9) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.random.random();
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.random_range(0..8);
                }
            }
            2 => input.insert(at, self.random.random()),
            3 => drop(input.drain(range)),
            4 => {
                let copy = input[range].to_vec();
                let to = self.random.random_range(0..=input.len());
                input.splice(to..to, copy);
            }
            5 => {
                let word = self.chosen(self.words).to_vec();
                input.splice(range, word);
            }
            6 | 7 => {
                let word = self.chosen(self.words).to_vec();
                input.splice(at..at, word);
            }
            _ => {
                let other = self.chosen(self.corpus);
                let from = self.random.random_range(0..=other.len());
                let rest = other[from..].to_vec();
                input.splice(at.., rest);
            }
        }
    }

    fn chosen<'c>(&mut self, all: &'c [Vec<u8>]) -> &'c [u8] {
        &all[self.random.random_range(0..all.len())]
    }
}

/// The words of a dictionary as libFuzzer reads them: `"…"` on a line of its own, with `\\`, `\"`
/// and `\xAB`; a name and `=` may stand before it. `None` if a line is neither that, nor a comment
/// (`#`), nor blank.
#[must_use]
pub fn words(dictionary: &str) -> Option<Vec<Vec<u8>>> {
    let lines = dictionary.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(word).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let (_, quoted) = line.split_once('"')?;
    let mut rest = quoted.strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let Some((&byte, behind)) = rest.split_first() {
        (rest, _) = match (byte, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low];
                let digits = str::from_utf8(&digits).ok()?;
                (behind, word.push(u8::from_str_radix(digits, 16).ok()?))
            }
            (b'\\', [escaped @ (b'\\' | b'"'), behind @ ..]) => (behind, word.push(*escaped)),
            (b'\\' | b'"', _) => return None,
            (plain, behind) => (behind, word.push(plain)),
        };
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_read_as_libfuzzer_reads_it() {
        let text = "# words\n\n\"GET \"\ncrlf=\"\\x0D\\x0a\"\n\"a\\\\\\\"b\"\n";
        let expected = [&b"GET "[..], b"\r\n", b"a\\\"b"].map(<[u8]>::to_vec);
        assert_eq!(words(text), Some(expected.to_vec()));
        for wrong in ["GET", "\"GET", "\"a\"b\"", "\"\\n\"", "\"\\x0\""] {
            assert_eq!(words(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let (corpus, words) = ([b"GET /".to_vec()], [b"HTTP".to_vec()]);
        let mut one = Mutator::new(&corpus, &words, 7);
        let mut other = Mutator::new(&corpus, &words, 7);
        for _ in 0..100 {
            assert_eq!(one.next_input(), other.next_input());
        }
    }
}
