#include "handover/resolve.h"
