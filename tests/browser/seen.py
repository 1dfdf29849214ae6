"""What is done to the lab around a view, and what is measured of the view: the same for all of them."""

import re

from playwright.sync_api import Page, expect

from bench.lab import ask

FAINT = """root => {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const paint = (colour, alpha = 1) => { [pen.fillStyle, pen.globalAlpha] = [colour, alpha]; pen.fillRect(0, 0, 1, 1); };
  const light = () => [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let seen = 0;
  const faint = [];
  for (const node of root.querySelectorAll("*")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const read = node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
    if (!own || !read || node.closest("i, :disabled, [inert], [aria-hidden=true]:not(output), style, script")) continue; // marks are no text
    const under = [], style = getComputedStyle(node);
    for (let at = node; at; at = at.parentElement) under.unshift(getComputedStyle(at).backgroundColor);
    ["#fff", ...under].forEach((colour) => paint(colour));
    const ground = light();
    if (node instanceof SVGElement) paint(style.fill, +style.fillOpacity);
    else paint(style.color);
    const [low, high] = [ground, light()].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    seen += 1;
    if (ratio < 4.5) faint.push(`${node.tagName}.${node.getAttribute("class")} ${node.textContent.slice(0, 60)}: ${ratio.toFixed(2)}`);
  }
  return { seen, faint };
}"""
"""How many texts are seen, and those whose contrast to what lies behind them is below 4.5."""
CUT = """root => {
  const { left, right } = root.getBoundingClientRect(), look = (node) => getComputedStyle(node);
  const scrolls = (node) => { for (let at = node.parentElement; at !== root; at = at.parentElement) if (/auto|scroll/.test(look(at).overflowX)) return true; };
  return [...root.querySelectorAll(":not(svg *, option)")].filter((node) => node.checkVisibility() && look(node).clipPath === "none" && !scrolls(node)).filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.left < left - 1 || box.right > right + 1 || (node.scrollWidth > node.clientWidth + 1 && look(node).overflowX === "hidden"));
  }).map((node) => node.outerHTML.slice(0, 80));
}"""
"""The parts of a view that are not wholly within it."""


def choose_theme(page: Page, name: str) -> None:
    """Gives the lab its theme "Light" or "Dark"."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.locator(".lm-Menu-itemLabel").get_by_text(f"JupyterLab {name}", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(name == "Light").lower())
    page.wait_for_timeout(1000)  # the theme's colours come after its name


def shut_down(lab: str, page: Page, notebook: str) -> None:
    """Ends the kernel of the open notebook, as a reader does from the lab's list of them."""
    (kernel,) = {session["kernel"]["id"] for session in ask(lab, "sessions") if session["path"] == notebook}
    ask(lab, f"kernels/{kernel}", "DELETE")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(state="hidden")


def nothing_is_missed(page: Page) -> None:
    """Where a view cannot live, the lab does not say so."""
    for complaint in page.get_by_text(re.compile("Error displaying|model not found|Loading widget|VBox")).all():
        expect(complaint).not_to_be_visible()
