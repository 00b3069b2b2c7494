#include "handover/channel.h"
