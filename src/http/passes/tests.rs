//! Passes over pages of numbers.

use std::cell::RefCell;

use rstest::rstest;

use super::*;

/// Pages of numbers, each with the cursor of the next.
struct Numbers {
    pages: Vec<(Vec<u32>, Option<&'static str>)>,
    total: Option<u64>,
    asked: RefCell<Vec<Position>>,
    distinct: RefCell<Distinct>,
    passes_until_whole: Cell<usize>,
    /// The content of a page from the second pass on, with its place.
    returns: Option<(usize, Vec<u32>)>,
    /// The pages past the end.
    past_the_end: PastTheEnd,
    /// The size of each page.
    bytes: Vec<usize>,
}

impl PageError for Incomplete {
    fn is_too_large(&self) -> bool {
        *self == Self::Endless { distinct: usize::MAX }
    }
}

#[derive(Debug, Clone, Copy)]
enum PastTheEnd {
    Nothing,
    FirstPage,
    LastPage,
    AllAgain,
}

impl Pages for Numbers {
    type Error = Incomplete;

    async fn page(&self, position: &Position) -> Result<PageSummary, Incomplete> {
        self.asked.borrow_mut().push(position.clone());
        let (place, pages) = (position.number - 1, self.pages.len());
        let place = match self.past_the_end {
            PastTheEnd::FirstPage if place >= pages => 0,
            PastTheEnd::LastPage => place.min(pages - 1),
            PastTheEnd::AllAgain => place % pages,
            PastTheEnd::Nothing | PastTheEnd::FirstPage => place,
        };
        let (mut numbers, next) = self.pages.get(place).cloned().unwrap_or_default();
        let passes = self.asked.borrow().iter().filter(|position| position.number == 1).count();
        if let Some((_, returned)) =
            self.returns.as_ref().filter(|(place, _)| passes > 1 && place + 1 == position.number)
        {
            numbers.clone_from(returned);
        }
        if position.number == 1 {
            self.passes_until_whole.set(self.passes_until_whole.get().saturating_sub(1));
        }
        let lacks = usize::from(self.passes_until_whole.get() > 0);
        for number in numbers.iter().skip(lacks) {
            self.distinct.borrow_mut().insert(&number.to_string());
        }
        let sum = numbers.iter().map(|number| u64::from(*number) + 1).sum();
        let bytes = self.bytes.get(place).copied().unwrap_or_default();
        if bytes > position.most {
            return Err(Incomplete::Endless { distinct: usize::MAX });
        }
        Ok(PageSummary { records: numbers.len(), total: self.total, next: next.map(str::to_owned), sum, bytes })
    }

    fn distinct(&self) -> usize {
        self.distinct.borrow().count()
    }
}

fn numbers(pages: &[(&[u32], Option<&'static str>)], total: Option<u64>, passes: usize) -> Numbers {
    Numbers {
        pages: pages.iter().map(|(numbers, next)| (numbers.to_vec(), *next)).collect(),
        total,
        asked: RefCell::default(),
        distinct: RefCell::default(),
        passes_until_whole: Cell::new(passes),
        returns: None,
        past_the_end: PastTheEnd::Nothing,
        bytes: Vec::new(),
    }
}

async fn read(numbers: &Numbers, walk: Walk) -> Result<Passes, Incomplete> {
    read_all(numbers, PassRules { walk, trust_total: numbers.total.is_some() }, &|_, _| {}).await
}

#[tokio::test]
async fn cursors_are_followed_to_the_page_that_names_none_and_the_total_counts_where_there_is_one() {
    let pages: [(&[u32], _); 3] = [(&[1, 2], Some("a")), (&[], Some("b")), (&[3], None)];
    for total in [None, Some(3)] {
        let numbers = numbers(&pages, total, 1);
        assert_eq!(read(&numbers, Walk::ByCursor).await, Ok(Passes { passes: 1, pages: 3 }));
        let asked: Vec<_> = numbers.asked.take().into_iter().map(|position| position.cursor).collect();
        assert_eq!(asked, [None, Some("a".to_owned()), Some("b".to_owned())]);
    }
    let short = read(&numbers(&pages, Some(4), 1), Walk::ByCursor).await;
    assert_eq!(short, Err(Incomplete::Short { distinct: 3, passes: 3, total: 4 }));
    let mended = read(&numbers(&pages, Some(3), 2), Walk::ByCursor).await;
    assert_eq!(mended, Ok(Passes { passes: 2, pages: 6 }));
}

#[tokio::test]
async fn cursors_that_go_in_a_circle_end() {
    let pages: [(&[u32], _); 4] = [(&[1], Some("a")), (&[2], Some("b")), (&[3], Some("a")), (&[1], Some("b"))];
    let turned = read(&numbers(&pages, None, 1), Walk::ByCursor).await.unwrap_err();
    assert_eq!(turned, Incomplete::Endless { distinct: 3 });
}

#[tokio::test]
async fn a_total_that_is_that_of_the_page_is_found_out_where_it_is_doubted() {
    let pages: [(&[u32], _); 2] = [(&[1, 2], None), (&[3, 4], None)];
    let by_total = |is_doubted| Walk::ByTotal { side_by_side: 2, is_doubted };
    assert_eq!(read(&numbers(&pages, Some(2), 1), by_total(false)).await, Ok(Passes { passes: 1, pages: 1 }));
    let doubted = numbers(&pages, Some(2), 1);
    assert_eq!(read(&doubted, by_total(true)).await, Ok(Passes { passes: 1, pages: 3 }), "all are read");
    let offsets: Vec<_> = doubted.asked.take().into_iter().map(|position| position.offset).collect();
    assert_eq!(offsets, [0, 2, 4]);
}

/// Ten records on pages of this length, with this total.
fn ten(length: usize, total: u64) -> Numbers {
    let all: Vec<u32> = (0..10).collect();
    let pages: Vec<_> = all.chunks(length).map(|numbers| (numbers, None)).collect();
    numbers(&pages, Some(total), 1)
}

/// The numbers of the requested pages, per pass.
fn asked(numbers: &Numbers) -> Vec<Vec<usize>> {
    let mut passes = Vec::<Vec<usize>>::new();
    for Position { number, .. } in numbers.asked.take() {
        if number == 1 {
            passes.push(Vec::new());
        }
        passes.last_mut().unwrap().push(number);
    }
    passes
}

#[rstest]
#[case::nothing_on_one_page(10, 0, &[1..=1])]
#[case::too_low_on_one_page(10, 5, &[1..=1])]
#[case::right_on_one_page(10, 10, &[1..=1])]
#[case::one_too_many_on_one_page(10, 11, &[1..=2, 1..=2, 1..=2])]
#[case::far_too_high_on_one_page(10, 3000, &[1..=4, 1..=2, 1..=2])]
#[case::absurd_on_one_page(10, 1_000_000_000, &[1..=4, 1..=2, 1..=2])]
#[case::beyond_all_numbers(1, u64::MAX, &[1..=13, 1..=11, 1..=11])]
#[case::nothing(4, 0, &[1..=1])]
#[case::too_low(4, 7, &[1..=2])]
#[case::right(4, 10, &[1..=3])]
#[case::one_too_many(4, 11, &[1..=3, 1..=3, 1..=3])]
#[case::a_page_too_many(4, 13, &[1..=4, 1..=4, 1..=4])]
#[case::far_too_high(4, 3000, &[1..=6, 1..=4, 1..=4])]
#[case::absurd(4, 1_000_000_000, &[1..=6, 1..=4, 1..=4])]
#[tokio::test]
async fn behind_an_empty_page_no_further_one_is_asked_for(
    #[case] length: usize,
    #[case] total: u64,
    #[case] expected: &[std::ops::RangeInclusive<usize>],
) {
    let numbers = ten(length, total);
    let read = read(&numbers, Walk::ByTotal { side_by_side: 3, is_doubted: false }).await;
    let passes = expected.len();
    let pages = expected.iter().cloned().map(Iterator::count).sum();
    if passes < PASSES {
        assert_eq!(read, Ok(Passes { passes, pages }));
    } else {
        assert_eq!(read, Err(Incomplete::Short { distinct: 10, passes, total }));
    }
    let expected: Vec<Vec<usize>> = expected.iter().cloned().map(Iterator::collect).collect();
    assert_eq!(asked(&numbers), expected);
}

#[tokio::test]
async fn a_page_that_is_empty_once_is_read_in_the_next_pass_and_those_behind_it() {
    let mut numbers = ten(2, 10);
    let second = std::mem::take(&mut numbers.pages[1].0);
    numbers.returns = Some((1, second));
    let read = read(&numbers, Walk::ByTotal { side_by_side: 1, is_doubted: false }).await;
    assert_eq!(read, Ok(Passes { passes: 2, pages: 7 }));
    assert_eq!(asked(&numbers), [vec![1, 2], vec![1, 2, 3, 4, 5]]);
}

#[rstest]
#[case::one_page(10, 3000, &[1..=4, 1..=2, 1..=2])]
#[case::absurd(4, 1_000_000_000, &[1..=6, 1..=4, 1..=4])]
#[case::one_too_many(4, 13, &[1..=4, 1..=4, 1..=4])]
#[case::right(4, 10, &[1..=3])]
#[tokio::test]
async fn behind_a_page_that_is_shown_again_no_further_one_is_asked_for(
    #[case] length: usize,
    #[case] total: u64,
    #[case] expected: &[std::ops::RangeInclusive<usize>],
    #[values(PastTheEnd::FirstPage, PastTheEnd::LastPage, PastTheEnd::AllAgain)] past_the_end: PastTheEnd,
) {
    let numbers = Numbers { past_the_end, ..ten(length, total) };
    let read = read(&numbers, Walk::ByTotal { side_by_side: 3, is_doubted: false }).await;
    assert_eq!(read.is_ok(), total == 10, "{read:?}");
    let expected: Vec<Vec<usize>> = expected.iter().cloned().map(Iterator::collect).collect();
    assert_eq!(asked(&numbers), expected);
}

#[tokio::test]
async fn a_page_that_is_shown_again_once_is_no_end_in_the_next_pass() {
    let mut numbers = ten(2, 10);
    let second = std::mem::replace(&mut numbers.pages[1].0, vec![0, 1]);
    numbers.returns = Some((1, second));
    let read = read(&numbers, Walk::ByTotal { side_by_side: 1, is_doubted: false }).await;
    assert_eq!(read, Ok(Passes { passes: 2, pages: 7 }));
    assert_eq!(asked(&numbers), [vec![1, 2], vec![1, 2, 3, 4, 5]]);
}

#[rstest]
#[case::one_page(10, Walk::ToEmptyPage, 2)]
#[case::a_short_page_at_the_end(4, Walk::ToEmptyPage, 4)]
#[case::full_pages(5, Walk::ToEmptyPage, 3)]
#[case::one_full_page_to_a_short_one(10, Walk::ToShortPage, 2)]
#[case::to_a_short_page(4, Walk::ToShortPage, 3)]
#[case::full_pages_to_a_short_one(5, Walk::ToShortPage, 3)]
#[tokio::test]
async fn without_a_total_the_end_is_an_empty_page_or_for_some_a_short_one(
    #[case] length: usize,
    #[case] walk: Walk,
    #[case] pages: usize,
) {
    let numbers = Numbers { total: None, ..ten(length, 0) };
    assert_eq!(read(&numbers, walk).await, Ok(Passes { passes: 1, pages }));
    assert_eq!(asked(&numbers), [(1..=pages).collect::<Vec<_>>()]);
}

#[tokio::test]
async fn a_short_page_in_the_middle_is_the_end_only_where_it_is_said_to_be() {
    let pages: [(&[u32], _); 3] = [(&[1, 2], None), (&[3], None), (&[4, 5], None)];
    for (walk, distinct) in [(Walk::ToEmptyPage, 5), (Walk::ToShortPage, 3)] {
        let numbers = numbers(&pages, None, 1);
        read(&numbers, walk).await.unwrap();
        assert_eq!(numbers.distinct(), distinct, "{walk:?}");
    }
    let nobody = numbers(&[], None, 1);
    assert_eq!(read(&nobody, Walk::ToEmptyPage).await, Ok(Passes { passes: 1, pages: 1 }));
}

const MIB: usize = 1 << 20;

#[rstest]
#[case::small(&[1, 7, 8, 8, 1], &[64, 8, 8, 8, 8])]
#[case::the_first_is_large(&[9, 1, 1, 1, 1], &[64, 64, 64, 64, 64])]
#[case::another_is(&[1, 1, 9, 64, 2], &[64, 8, 8, 8, 8, 64, 64])]
#[tokio::test]
async fn what_is_large_is_read_alone(#[case] mib: &[usize], #[case] most: &[usize]) {
    let pages = Numbers { bytes: mib.iter().map(|mib| mib * MIB).collect(), ..ten(2, 10) };
    assert_eq!(
        read(&pages, Walk::ByTotal { side_by_side: 8, is_doubted: false }).await,
        Ok(Passes { passes: 1, pages: 5 })
    );
    assert_eq!(pages.asked.take().iter().map(|position| position.most / MIB).collect::<Vec<_>>(), most);
}

#[tokio::test]
async fn behind_a_page_that_is_large_none_is_asked_for_beside_others() {
    let pages = Numbers { bytes: vec![MIB, 40 * MIB, MIB, MIB, MIB], ..ten(2, 10) };
    let rules = Walk::ByTotal { side_by_side: 2, is_doubted: false };
    assert_eq!(read(&pages, rules).await, Ok(Passes { passes: 1, pages: 5 }));
    let asked: Vec<_> = pages.asked.take().iter().map(|position| (position.number, position.most / MIB)).collect();
    assert_eq!(asked, [(1, 64), (2, 32), (3, 32), (2, 64), (4, 64), (5, 64)]);
}
