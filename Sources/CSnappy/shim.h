// Snappy, which librocksdb brings along anyway: the compression of Parquet pages that all readers have.
#pragma once
#include <snappy-c.h>
