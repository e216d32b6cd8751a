// RocksDB through its C interface.
#pragma once
#include <rocksdb/c.h>
