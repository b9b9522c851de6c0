#include "namenode/journal/file_journal.h"
