//! Pages of items.

/// Results of `IN` come in pages of up to 10 items (DynamoDB developer guide, PartiQL select).
pub const PAGE_ITEMS: usize = 10;

/// The page that begins at `from`, and where the next one does; `None` where there is no such page.
///
/// A full page has a next one even if nothing follows: DynamoDB does not look beyond a full page.
pub fn page<T>(
    mut items: impl Iterator<Item = T>,
    from: usize,
    size: usize,
) -> Option<(Vec<T>, Option<usize>)> {
    if from > 0 {
        items.nth(from - 1)?;
    }
    let page: Vec<_> = items.take(size).collect();
    let next = (page.len() == size).then(|| from + size);
    Some((page, next))
}
