// The waiting page and the order page look again when the server says that something changed.
(() => {
const main = document.querySelector('main');
if (!main.dataset.live || !window.EventSource) return;
let face = main.dataset.face, looking = false, again = false;
const look = async () => {
if (looking) { again = true; return; }
looking = true;
try {
const answer = await fetch(main.dataset.page, {headers: {Accept: 'text/html'}});
if (answer.redirected) { location.replace(answer.url); return; }
if (answer.ok) {
const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
face = fresh.dataset.face;
main.dataset.face = face;
const said = document.getElementById('said');
main.replaceChildren(...fresh.childNodes);
said.textContent = main.querySelector('h1').textContent;
document.body.dataset.changed = face;
if (!fresh.dataset.live) source.close();
}
} catch (lost) { again = true; }
looking = false;
if (again) { again = false; setTimeout(look, 1500); }
};
const source = new EventSource(main.dataset.live);
source.addEventListener('state', event => { if (event.data !== face) look(); });
addEventListener('pagehide', () => source.close());
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
})();
