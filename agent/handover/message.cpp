#include "handover/message.h"
