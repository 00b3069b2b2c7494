#include "handover/share_socket.h"
