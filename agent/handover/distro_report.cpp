#include "handover/distro_report.h"
