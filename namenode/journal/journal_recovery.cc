#include "namenode/journal/journal_recovery.h"
