//! The history as Parquet, for programs that read columns.

use std::sync::Arc;

use jiff::Timestamp;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::export::Row;
use crate::run::Sampling;

const SCHEMA: &str = "message history {
    required binary run (UTF8);
    required int64 created (TIMESTAMP(MICROS, true));
    optional binary commit (UTF8);
    optional binary branch (UTF8);
    required binary host (UTF8);
    required binary cpu_model (UTF8);
    optional binary package (UTF8);
    required binary benchmark (UTF8);
    required binary sampling (UTF8);
    required binary metric (UTF8);
    required float ns;
    optional float low_ns;
    optional float high_ns;
    required int32 launches;
    required int64 samples;
}";

/// Rows that are written together.
const GROUP: usize = 100_000;

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of these rows, columns as the fields of [`Row`].
pub(crate) fn parquet<'a>(rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let rows: Vec<Row<'_>> = rows.collect();
    for rows in rows.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        write(&mut group, rows)?;
        group.close()?;
    }
    writer.into_inner()
}

fn write(group: &mut Group<'_>, rows: &[Row<'_>]) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text);
    let micros = |created: &str| created.parse().map_or(0, Timestamp::as_microsecond);
    let sampling = |sampling| match sampling {
        Sampling::Call => "call",
        Sampling::Batch => "batch",
    };
    let whole = |samples: u64| i64::try_from(samples).unwrap_or(i64::MAX);
    let launches = |launches: u32| i32::try_from(launches).unwrap_or(i32::MAX);
    column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.run))), false)?;
    column::<Int64Type>(group, rows.iter().map(|row| Some(micros(&row.created))), false)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| row.commit.map(text)), true)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| row.branch.map(text)), true)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.host))), false)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.cpu_model))), false)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| row.package.map(text)), true)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.benchmark))), false)?;
    let words = rows.iter().map(|row| Some(text(sampling(row.sampling))));
    column::<ByteArrayType>(group, words, false)?;
    column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.metric))), false)?;
    column::<FloatType>(group, rows.iter().map(|row| Some(row.ns)), false)?;
    column::<FloatType>(group, rows.iter().map(|row| row.low_ns), true)?;
    column::<FloatType>(group, rows.iter().map(|row| row.high_ns), true)?;
    column::<Int32Type>(group, rows.iter().map(|row| Some(launches(row.launches))), false)?;
    column::<Int64Type>(group, rows.iter().map(|row| Some(whole(row.samples))), false)
}

/// Writes the next column; definition levels say which values of an optional one are there.
fn column<T: DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
    is_optional: bool,
) -> Result<(), ParquetError> {
    let values: Vec<Option<T::T>> = values.collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = values.into_iter().flatten().collect();
    let missing = || ParquetError::General("more columns than the schema has".to_owned());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    writer.typed::<T>().write_batch(&there, is_optional.then_some(levels.as_slice()), None)?;
    writer.close()
}
