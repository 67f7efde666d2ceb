//! Pages of items.

/// Results of `IN` come in pages of up to 10 items (DynamoDB developer guide, PartiQL select).
pub const PAGE_ITEMS: usize = 10;

/// The page that begins at `from`, and where the next one does; `None` where there is no such page.
///
/// A full page has a next one even if nothing follows: DynamoDB does not look beyond a full page.
pub fn page<T>(items: &[T], from: usize, size: usize) -> Option<(&[T], Option<usize>)> {
    let rest = items.get(from..)?;
    let page = &rest[..rest.len().min(size)];
    Some((page, (page.len() == size).then(|| from + size)))
}
