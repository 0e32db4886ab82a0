//! Exports the history as Parquet, for programs that read columns.

use std::sync::Arc;

use jiff::Timestamp;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::export::ExportRow;
use crate::run::Sampling;

const PARQUET_SCHEMA: &str = "message history {
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

/// Maximum number of rows in a row group.
const ROWS_PER_GROUP: usize = 100_000;

type RowGroup<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// Returns a Parquet file with these rows. The columns are the fields of [`ExportRow`].
///
/// Fails if the Parquet writer fails.
pub(crate) fn export_parquet<'a>(
    rows: impl Iterator<Item = ExportRow<'a>>,
) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(PARQUET_SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let rows: Vec<ExportRow<'_>> = rows.collect();
    for rows in rows.chunks(ROWS_PER_GROUP) {
        let mut group = writer.next_row_group()?;
        write_row_group(&mut group, rows)?;
        group.close()?;
    }
    writer.into_inner()
}

fn write_row_group(group: &mut RowGroup<'_>, rows: &[ExportRow<'_>]) -> Result<(), ParquetError> {
    // The columns follow in the order of the schema, because the writer takes them one by one.
    write_texts(group, rows.iter().map(|row| Some(row.run)), false)?;
    let micros = rows.iter().map(|row| Some(parse_microseconds(&row.created)));
    write_column::<Int64Type>(group, micros, false)?;
    write_texts(group, rows.iter().map(|row| row.commit), true)?;
    write_texts(group, rows.iter().map(|row| row.branch), true)?;
    write_texts(group, rows.iter().map(|row| Some(row.host)), false)?;
    write_texts(group, rows.iter().map(|row| Some(row.cpu_model)), false)?;
    write_texts(group, rows.iter().map(|row| row.package), true)?;
    write_texts(group, rows.iter().map(|row| Some(row.benchmark)), false)?;
    write_texts(group, rows.iter().map(|row| Some(name_sampling(row.sampling))), false)?;
    write_texts(group, rows.iter().map(|row| Some(row.metric)), false)?;
    write_column::<FloatType>(group, rows.iter().map(|row| Some(row.ns)), false)?;
    write_column::<FloatType>(group, rows.iter().map(|row| row.low_ns), true)?;
    write_column::<FloatType>(group, rows.iter().map(|row| row.high_ns), true)?;
    let launches = rows.iter().map(|row| Some(i32::try_from(row.launches).unwrap_or(i32::MAX)));
    write_column::<Int32Type>(group, launches, false)?;
    let samples = rows.iter().map(|row| Some(i64::try_from(row.samples).unwrap_or(i64::MAX)));
    write_column::<Int64Type>(group, samples, false)
}

/// Returns a time in microseconds since 1970, or 0 if it cannot be parsed.
fn parse_microseconds(time: &str) -> i64 {
    time.parse().map_or(0, Timestamp::as_microsecond)
}

/// Returns the word for what one sample is.
fn name_sampling(sampling: Sampling) -> &'static str {
    match sampling {
        Sampling::Call => "call",
        Sampling::Batch => "batch",
    }
}

/// Writes the next column, which holds text.
fn write_texts<'a>(
    group: &mut RowGroup<'_>,
    values: impl Iterator<Item = Option<&'a str>>,
    is_optional: bool,
) -> Result<(), ParquetError> {
    let values = values.map(|value| value.map(ByteArray::from));
    write_column::<ByteArrayType>(group, values, is_optional)
}

/// Writes the next column. For an optional column, definition levels mark which values are present.
fn write_column<T: DataType>(
    group: &mut RowGroup<'_>,
    values: impl Iterator<Item = Option<T::T>>,
    is_optional: bool,
) -> Result<(), ParquetError> {
    let values: Vec<Option<T::T>> = values.collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.into_iter().flatten().collect();
    let mut writer = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("more columns than the schema has".to_owned()))?;
    writer.typed::<T>().write_batch(&present, is_optional.then_some(levels.as_slice()), None)?;
    writer.close()
}
