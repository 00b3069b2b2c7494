#include "wire/yamux.h"
