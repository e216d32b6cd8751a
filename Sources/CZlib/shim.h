// zlib: gzip compression.
#pragma once
#include <zlib.h>
