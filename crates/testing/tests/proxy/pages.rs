//! Small pages.

use crate::stage::{Outcome, Stage, ids, rejection};

#[tokio::test]
async fn a_statement_is_paged() -> Outcome {
    let stage = Stage::with_customers(23).await?;
    stage.proxy.page_size(Some(10));
    let (mut sizes, mut all, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let page = stage.select(&["1", "2"]).set_next_token(token).send().await?;
        sizes.push(page.items().len());
        all.extend(ids(&page));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 3]);
    all.sort_by_key(|id| id.parse::<usize>().ok());
    assert_eq!(all, (0..23).map(|id| id.to_string()).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_full_page_has_a_continuation_even_if_nothing_follows() -> Outcome {
    let stage = Stage::with_customers(10).await?;
    stage.proxy.page_size(Some(10));
    let page = stage.select(&["1"]).send().await?;
    assert_eq!(page.items().len(), 10);
    assert!(page.next_token().is_some());
    let page = stage.select(&["1"]).set_next_token(page.next_token).send().await?;
    assert_eq!(page.items().len(), 0);
    assert_eq!(page.next_token(), None);
    Ok(())
}

#[tokio::test]
async fn a_page_can_be_requested_again() -> Outcome {
    let stage = Stage::with_customers(15).await?;
    stage.proxy.page_size(Some(10));
    let token = stage.select(&["1"]).send().await?.next_token;
    let page = stage.select(&["1"]).set_next_token(token.clone()).send().await?;
    let again = stage.select(&["1"]).set_next_token(token).send().await?;
    assert_eq!(ids(&page), ids(&again));
    Ok(())
}

#[tokio::test]
async fn a_continuation_must_repeat_statement_and_parameters() -> Outcome {
    let stage = Stage::with_customers(15).await?;
    stage.proxy.page_size(Some(10));
    let token = stage.select(&["1"]).send().await?.next_token;
    for phones in [&["2"][..], &["1", "2"]] {
        let other = stage.select(phones).set_next_token(token.clone());
        assert_eq!(rejection(other.send().await), "NextToken does not match request");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_database_ends_a_paged_statement() -> Outcome {
    let stage = Stage::new().await?;
    stage.proxy.page_size(Some(10));
    let call = stage.client.execute_statement().statement("SELECT * FROM unknown");
    let error = call.send().await.err().ok_or("the table is unknown")?;
    assert!(error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()));
    Ok(())
}

#[tokio::test]
async fn a_query_is_paged() -> Outcome {
    let stage = Stage::with_customers(20).await?;
    stage.proxy.query_page_size(Some(10));
    let (mut sizes, mut from) = (Vec::new(), None);
    loop {
        let page = stage.query().set_exclusive_start_key(from).send().await?;
        sizes.push(page.count());
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 0], "the second page is full, so it has a continuation");
    Ok(())
}

#[tokio::test]
async fn without_a_page_size_all_items_are_in_one_page() -> Outcome {
    let stage = Stage::with_customers(30).await?;
    assert_eq!(stage.select(&["1"]).send().await?.items().len(), 30);
    assert_eq!(stage.query().send().await?.count(), 30);
    Ok(())
}
