// The keypad: DTMF digits into the call, one request after the other, by mouse, touch, or typed while it is open.

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const SAID = { '*': 'star', '#': 'hash' };
const SHOWN = 24;

/** Make the keys; `send` gets one digit at a time and returns a promise. */
export function watchKeypad(send, complain) {
  const sheet = document.querySelector('#keypad');
  const digits = document.querySelector('#digits');
  let sent = '';
  let before = Promise.resolve();

  const press = digit => {
    before = before.then(() => send(digit)).then(() => {
      sent = (sent + digit).slice(-SHOWN);
      digits.textContent = sent;
    }).catch(error => complain(`Digit not sent: ${error.message}`));
  };
  const keys = KEYS.map(digit => {
    const key = document.createElement('button');
    key.type = 'button';
    key.textContent = digit;
    key.ariaLabel = SAID[digit] ?? digit;
    key.addEventListener('click', () => press(digit));
    return key;
  });
  document.querySelector('#keys').append(...keys);
  sheet.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey || !KEYS.includes(event.key)) return;
    keys[KEYS.indexOf(event.key)].focus();
    press(event.key);
  });
  sheet.addEventListener('toggle', ({ newState }) => {
    if (newState !== 'open') return;
    sent = '';
    digits.textContent = '\u00a0';
    keys[0].focus();
  });
}
