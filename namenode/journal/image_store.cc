#include "namenode/journal/image_store.h"
