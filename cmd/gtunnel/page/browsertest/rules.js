(() => {
  const broken = [];
  const shown = (e) => e.checkVisibility({ checkVisibilityCSS: true });

  // 1.4.3: the contrast of each text with what lies behind it.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (color) => {
    const [r, g, b] = Array.from(color).map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba("Canvas");
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(e) || ["SCRIPT", "NOSCRIPT"].includes(e.tagName)) continue;
    texts++;
    const r = ratio(rgba(getComputedStyle(e).color), behind(e));
    if (r < 4.5) broken.push(`contrast ${r.toFixed(2)}: ${walker.currentNode.data.trim()}`);
  }
  if (texts < 50) broken.push(`only ${texts} texts were found`);
  // 1.4.11: and of each line of a plot.
  for (const e of document.querySelectorAll("path.stroke")) {
    const r = ratio(rgba(getComputedStyle(e).stroke), behind(e.closest("section")));
    if (r < 3) broken.push(`contrast ${r.toFixed(2)} of a plot's line`);
  }

  // 1.3.1: headings in order, tables with headers, lists with items, ids once.
  let before = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const depth = Number(h.tagName[1]);
    if (depth > before + 1) broken.push(`heading ${h.tagName} after H${before}: ${h.textContent}`);
    before = depth;
  }
  if (document.querySelectorAll("h1").length !== 1) broken.push("there is not one h1");
  for (const table of document.querySelectorAll("table")) {
    if (!table.tHead || table.querySelector("thead th:not([scope=col])")) broken.push("a table has no headers");
    if (!table.caption && !table.hasAttribute("aria-labelledby")) broken.push("a table has no name");
  }
  const ids = Array.from(document.querySelectorAll("[id]"), (e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) broken.push(`two elements are ${id}`);
  for (const attribute of ["aria-labelledby", "aria-describedby"]) {
    for (const e of document.querySelectorAll(`[${attribute}]`)) {
      const id = e.getAttribute(attribute);
      if (!document.getElementById(id)) broken.push(`${attribute} of nothing: ${id}`);
    }
  }
  for (const e of document.querySelectorAll("svg")) {
    const named = e.getAttribute("role") === "img" && e.hasAttribute("aria-label");
    if (!named && e.getAttribute("aria-hidden") !== "true") broken.push("a picture has no text alternative");
  }
  if (document.documentElement.lang !== "en") broken.push("the page has no language");
  if (!document.title) broken.push("the page has no title");

  // 4.1.3: little is read aloud unasked.
  const loud = document.querySelectorAll("[aria-live], [role=status], [role=alert]").length;
  if (loud > 2) broken.push(`${loud} parts are read aloud when they change`);

  // 2.5.8: what is pressed is large enough, unless it stands in a sentence.
  for (const e of document.querySelectorAll("nav a, button, summary")) {
    const box = e.getBoundingClientRect();
    if (shown(e) && box.height < 24) broken.push(`${box.height} pixels high: ${e.textContent}`);
  }

  // 1.4.10: nothing is wider than the window.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    for (const e of document.querySelectorAll("body *")) {
      if (e.getBoundingClientRect().right > width + 1) broken.push(`wider than ${width}: ${e.tagName}.${e.className}`);
    }
    broken.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  }
  return broken;
})()
