// Parse, wire, run: nothing else.
int main() { return 0; }
