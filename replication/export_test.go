package replication

// RunBesideGuard is for tests on servers, which are of another package.
var RunBesideGuard = runBesideGuard
