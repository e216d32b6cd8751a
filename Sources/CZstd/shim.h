// Zstandard compression.
#pragma once
#include <zstd.h>
