// The excerpts of the search results begin with the page's text, not with the buttons above it.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined" || !Search.htmlToText) return;
  const toText = Search.htmlToText;
  Search.htmlToText = (html, anchor) =>
    toText(html.replace(/<div class="bd-header-article[\s\S]*?(?=<article)/, ""), anchor);
});
