// The waiting page and the order page look again when the server says that something changed.
(() => {
const main = document.querySelector('main');
if (!main.dataset.live || !window.EventSource) return;
let face = main.dataset.face, looking = false, again = false;
// What somebody is typing while others pay stays typed.
const keep = fresh => main.querySelectorAll('[name]:not([type=hidden])').forEach(old => {
const radio = old.type === 'radio', now = fresh.querySelector(`[name="${old.name}"]` + (radio ? `[value="${old.value}"]` : ''));
if (!now) return;
if (radio) now.checked = old.checked && !now.disabled;
else if (!now.options || [...now.options].some(option => option.value === old.value)) now.value = old.value;
});
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
const at = document.activeElement && document.activeElement.id;
keep(fresh);
main.replaceChildren(...fresh.childNodes);
if (at && document.getElementById(at)) document.getElementById(at).focus();
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
