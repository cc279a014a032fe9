"""What travels: records, their Avro schemas and bytes, the topic table, the error tree."""
