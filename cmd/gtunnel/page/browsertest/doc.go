// Package browsertest looks at the page with a real browser, Chromium without a
// screen: what it shows while a real server and a real client carry data, on a
// phone, in dark mode, by the keyboard, to a screen reader and without
// JavaScript. It is a module of its own, because a browser's protocol is no part
// of gtunnel.
//
// GTUNNEL_PAGE_SHOTS=FOLDER keeps pictures of the page there.
package browsertest
