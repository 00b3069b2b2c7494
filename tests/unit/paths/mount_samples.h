// mountinfo texts for the tests of what distros mount, beside those that init's planners know.
#pragma once

#include "../boot/samples.h"
