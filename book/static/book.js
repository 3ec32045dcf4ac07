// The excerpts of the search results quote the page's text: neither the buttons above it nor what
// is kept from the search.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined" || !Search.htmlToText) return;
  const toText = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll(".bd-header-article, .no-search").forEach((part) => part.remove());
    return toText(page.documentElement.outerHTML, anchor);
  };
});
