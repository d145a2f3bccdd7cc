// One press is enough; the total follows the quantity.
(() => {
document.addEventListener('submit', event => {
const button = event.target.querySelector('button[data-wait]');
if (!button) return;
if (button.dataset.pressed) { event.preventDefault(); return; }
button.dataset.pressed = '1';
button.setAttribute('aria-busy', 'true');
button.firstElementChild.textContent = button.dataset.wait;
});
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
const many = document.querySelector('select[name=quantity]'), total = document.getElementById('total');
const count = () => { total.textContent = many.selectedOptions[0].dataset.total; };
if (many && total) { many.addEventListener('change', count); count(); }
})();
