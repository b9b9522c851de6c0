#include "namenode/journal/disk_space.h"
