{
  const form = document.getElementById("mistake-filters");
  const clips = [...document.querySelectorAll("#mistake-clips .clip")];
  const update = () => {
    const chosen = [...form.querySelectorAll("select")].filter((each) => each.value);
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = chosen.some((each) => clip.dataset[each.name] !== each.value);
      shown += !clip.hidden;
    }
    form.querySelector("output").textContent =
      shown === clips.length ? `${shown} mistakes` : `${shown} of ${clips.length} mistakes`;
  };
  form.hidden = !form.querySelector("select");
  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  update(); // a browser that goes back restores what was chosen
}
