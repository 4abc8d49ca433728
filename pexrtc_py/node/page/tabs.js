// Tabs, where there is no place for both lists. On a wide screen both are shown, and the style sheet hides the tabs.

const tabs = [document.querySelector('#people-tab'), document.querySelector('#chat-tab')];

/** Whether a list can be seen just now. */
export function isShown(id) {
  return document.getElementById(id).offsetParent !== null;
}

/** Let tabs be used, by mouse and by arrow keys. */
export function watchTabs(onChange) {
  const choose = tab => {
    for (const other of tabs) {
      other.ariaSelected = String(other === tab);
      other.tabIndex = other === tab ? 0 : -1;
    }
    document.querySelector('.side').dataset.shown = tab.getAttribute('aria-controls');
    onChange();
  };
  for (const tab of tabs) {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', event => {
      if (!['ArrowLeft', 'ArrowRight'].includes(event.key)) return;
      const other = tabs[(tabs.indexOf(tab) + 1) % tabs.length];
      choose(other);
      other.focus();
    });
  }
}
