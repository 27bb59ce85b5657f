//! Reading tenants from an API: every record once, as a row.

use super::{
    Pointer, Rest, Survey,
    parents::Parents,
    pointer::Record,
    records::{Records, Take},
};
use crate::{
    http::{Passes, read_all},
    model::{Row, TakeRow, shown},
    source::{Columns, Error, Source},
};

impl Rest {
    /// Reads all records as rows, and counts what each pointer finds. A pointer that never finds anything is an error.
    pub async fn survey(&self, take: TakeRow<'_>) -> Result<Survey, Error> {
        let mapping = &self.settings.mapping;
        let own = [("record_id", &self.settings.record_id)];
        let mut pointers: Vec<_> = own.into_iter().chain(mapping.pointers()).map(|pointer| (pointer, 0)).collect();
        let (mut records, mut parents) = (0, Parents::new(self.settings.parent_by, take));
        let mut take = |id: Option<&str>, record: &str| {
            records += 1;
            parents.add(id, self.row(id, record));
            let record = Record::new(record, pointers.len());
            for ((_, pointer), found) in &mut pointers {
                *found += usize::from(pointer.within(&record).is_some());
            }
        };
        let pages = self.read_records(&mut take).await?.pages;
        parents.end();
        let idle = pointers.iter().filter(|(_, found)| *found == 0 && records > 0);
        let idle: Vec<_> = idle.map(|((column, pointer), _)| format!("{column} = {pointer}")).collect();
        if !idle.is_empty() {
            return Err(Error::Pointers { records, pointers: idle });
        }
        let told =
            |((column, pointer), found): ((&str, &Pointer), usize)| (column.to_owned(), pointer.to_string(), found);
        Ok(Survey { records, pages, pointers: pointers.into_iter().map(told).collect() })
    }

    fn row<'r>(&'r self, id: Option<&str>, record: &'r str) -> Row<'r> {
        let place = id.map_or("a record without an id".to_owned(), |id| format!("record {}", shown(id)));
        self.settings.mapping.row(record, place)
    }

    async fn read_records(&self, take: Take<'_>) -> Result<Passes, Error> {
        let rules = self.settings.paging.rules(self.settings.max_in_flight);
        read_all(&Records::new(self, take), rules, &|_, _| {}).await
    }
}

impl Source for Rest {
    async fn read(&self, take: TakeRow<'_>) -> Result<(), Error> {
        let mut parents = Parents::new(self.settings.parent_by, take);
        let mut take = |id: Option<&str>, record: &str| parents.add(id, self.row(id, record));
        self.read_records(&mut take).await?;
        parents.end();
        Ok(())
    }

    async fn columns(&self) -> Result<Columns, Error> {
        Ok(self.settings.mapping.columns().clone())
    }

    fn place(&self) -> String {
        self.settings.url.to_string()
    }
}
