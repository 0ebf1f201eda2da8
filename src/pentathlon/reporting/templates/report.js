(function () {
  "use strict";
  var config = { responsive: true, displayModeBar: false, displaylogo: false };
  function draw(place) {
    if (place.dataset.drawn) return;
    place.dataset.drawn = "yes";
    var spec = JSON.parse(document.getElementById("data-" + place.dataset.figure).textContent);
    var narrow = place.clientWidth < 520;
    if (narrow) {
      spec.layout.font = Object.assign({}, spec.layout.font, { size: 11 });
      spec.layout.margin = Object.assign({}, spec.layout.margin, { l: 2 });
    }
    Plotly.newPlot(place, spec.data, spec.layout, config);
  }
  var places = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  if ("IntersectionObserver" in window) {
    // Drawing fourteen figures at once would hold up the first screen.
    var near = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
      });
    }, { rootMargin: "600px" });
    places.forEach(function (place) { near.observe(place); });
    var links = {};
    document.querySelectorAll(".toc a").forEach(function (a) { links[a.hash.slice(1)] = a; });
    var here = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        Object.keys(links).forEach(function (id) {
          var current = id === entry.target.id;
          links[id].classList.toggle("here", current);
          if (current) links[id].setAttribute("aria-current", "true");
          else links[id].removeAttribute("aria-current");
        });
      });
    }, { rootMargin: "-20% 0px -70% 0px" });
    document.querySelectorAll("main > section").forEach(function (s) { here.observe(s); });
  } else {
    places.forEach(draw);
  }
  var opened = [];
  window.addEventListener("beforeprint", function () {
    places.forEach(draw);
    document.querySelectorAll("details:not([open])").forEach(function (d) { d.open = true; opened.push(d); });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (d) { d.open = false; });
    opened = [];
  });
})();
