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
    let text = |text: &str| ByteArray::from(text);
    let micros = |created: &str| created.parse().map_or(0, Timestamp::as_microsecond);
    let sampling = |sampling| match sampling {
        Sampling::Call => "call",
        Sampling::Batch => "batch",
    };
    let whole = |samples: u64| i64::try_from(samples).unwrap_or(i64::MAX);
    let launches = |launches: u32| i32::try_from(launches).unwrap_or(i32::MAX);
    write_column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.run))), false)?;
    write_column::<Int64Type>(group, rows.iter().map(|row| Some(micros(&row.created))), false)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| row.commit.map(text)), true)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| row.branch.map(text)), true)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.host))), false)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.cpu_model))), false)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| row.package.map(text)), true)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.benchmark))), false)?;
    let words = rows.iter().map(|row| Some(text(sampling(row.sampling))));
    write_column::<ByteArrayType>(group, words, false)?;
    write_column::<ByteArrayType>(group, rows.iter().map(|row| Some(text(row.metric))), false)?;
    write_column::<FloatType>(group, rows.iter().map(|row| Some(row.ns)), false)?;
    write_column::<FloatType>(group, rows.iter().map(|row| row.low_ns), true)?;
    write_column::<FloatType>(group, rows.iter().map(|row| row.high_ns), true)?;
    write_column::<Int32Type>(group, rows.iter().map(|row| Some(launches(row.launches))), false)?;
    write_column::<Int64Type>(group, rows.iter().map(|row| Some(whole(row.samples))), false)
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
    let missing = || ParquetError::General("more columns than the schema has".to_owned());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    writer.typed::<T>().write_batch(&present, is_optional.then_some(levels.as_slice()), None)?;
    writer.close()
}
