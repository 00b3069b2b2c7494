; A folder in the user's PATH (HKCU\Environment), added and taken away. Strings of NSIS end at 1,024 characters and a PATH may
; be longer, so it is changed in memory of our own and never passes through a variable. The value's type stays.

!define PATH_BYTES 131072 ; an environment variable has at most 32,767 characters

!macro USER_PATH_FUNCTIONS un

; $0: the folder. $1: "add" or "remove".
Function ${un}ChangeUserPath
  System::Store S
  System::Alloc ${PATH_BYTES}
  Pop $2
  System::Alloc ${PATH_BYTES}
  Pop $3
  StrCpy $4 2 ; REG_EXPAND_SZ where there is none yet
  System::Call 'advapi32::RegOpenKeyExW(p 0x80000001, w "Environment", i 0, i 0x20003, *p .r5) i .r6'
  ${If} $6 == 0
    IntOp $7 ${PATH_BYTES} - 4096
    System::Call 'advapi32::RegQueryValueExW(p r5, w "Path", p 0, *i .r4, p r2, *i r7r7) i .r6'
    ${If} $6 = 2 ; not found
      StrCpy $6 0
      StrCpy $4 2
    ${EndIf}
    ${If} $6 = 0
      ; Where it is in ";PATH;", so that only whole entries are found.
      System::Call 'kernel32::lstrcpyW(p r3, w ";")'
      System::Call 'kernel32::lstrcatW(p r3, p r2)'
      System::Call 'kernel32::lstrcatW(p r3, w ";")'
      System::Call 'shlwapi::StrStrIW(p r3, w ";$0;") p .r8'
      ${If} $1 == "add"
      ${AndIf} $8 = 0
        System::Call 'kernel32::lstrlenW(p r2) i .r6'
        ${If} $6 <> 0
          System::Call 'kernel32::lstrcatW(p r2, w ";")'
        ${EndIf}
        System::Call 'kernel32::lstrcatW(p r2, w "$0")'
        StrCpy $9 1
      ${ElseIf} $1 == "remove"
      ${AndIf} $8 <> 0
        ; ";a;X;b;" without ";X" is ";a;b;"; its first and last character go.
        StrLen $6 ";$0"
        IntOp $6 $6 * 2
        IntPtrOp $6 $8 + $6
        System::Call 'kernel32::lstrcpyW(p r8, p r6)'
        IntPtrOp $6 $3 + 2
        System::Call 'kernel32::lstrcpyW(p r2, p r6)'
        System::Call 'kernel32::lstrlenW(p r2) i .r6'
        ${If} $6 > 0
          IntOp $6 $6 - 1
          IntOp $6 $6 * 2
          IntPtrOp $6 $2 + $6
          System::Call '*$6(&i2 0)'
        ${EndIf}
        StrCpy $9 1
      ${Else}
        StrCpy $9 0
      ${EndIf}
      ${If} $9 = 1
        System::Call 'kernel32::lstrlenW(p r2) i .r6'
        ${If} $6 = 0
          System::Call 'advapi32::RegDeleteValueW(p r5, w "Path")'
        ${Else}
          IntOp $6 $6 + 1
          IntOp $6 $6 * 2
          System::Call 'advapi32::RegSetValueExW(p r5, w "Path", i 0, i r4, p r2, i r6)'
        ${EndIf}
        SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=2000
      ${EndIf}
    ${EndIf}
    System::Call 'advapi32::RegCloseKey(p r5)'
  ${EndIf}
  System::Free $2
  System::Free $3
  System::Store L
FunctionEnd

!macroend

!macro ChangeUserPathCall un folder what
  Push $0
  Push $1
  StrCpy $0 "${folder}"
  StrCpy $1 "${what}"
  Call ${un}ChangeUserPath
  Pop $1
  Pop $0
!macroend
!define AddToUserPath `!insertmacro AddToUserPathMacro`
!macro AddToUserPathMacro folder
  !insertmacro ChangeUserPathCall "" "${folder}" "add"
!macroend
!define un.RemoveFromUserPath `!insertmacro un.RemoveFromUserPathMacro`
!macro un.RemoveFromUserPathMacro folder
  !insertmacro ChangeUserPathCall "un." "${folder}" "remove"
!macroend

!insertmacro USER_PATH_FUNCTIONS ""
!insertmacro USER_PATH_FUNCTIONS "un."
