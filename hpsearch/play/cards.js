// The characters of a photograph: a click chooses one.
element.addEventListener("click", (event) => {
  const card = event.target.closest("[data-place]");
  if (card) trigger("click", { place: Number(card.dataset.place) });
});
