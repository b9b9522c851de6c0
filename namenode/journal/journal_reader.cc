#include "namenode/journal/journal_reader.h"
