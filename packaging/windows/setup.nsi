; The Windows setup program: for one user, without administrator's rights. packaging/setup-program builds it with makensis and
; defines VERSION, ROOTFS (the distro's .tar.gz), SHIM (a folder with causeway.exe and causewayw.exe), OUTPUT, LICENCE, and
; CLIENTS (a folder) with DOCKER_EXE and KUBECTL_EXE for what is in it.
;
; Whose a distro is, is known before it is imported: HKCU\Software\Causeway names it and its folder. A distro of that name in
; another folder is somebody else's (Docker Desktop's has the same name) and is never touched.
;
;   setup.exe /S [/DISTRO=NAME] [/NOSTART] [/NOAUTOSTART] [/D=FOLDER]     uninstall.exe /S [/REMOVEDATA]
;
; Exit codes: 0 done, 1 cancelled, 10 no usable WSL or another processor, 11 a foreign distro has the name, 12 the import failed, 13 the upgrade failed,
; 14 files can't be written, 15 the distro could not be removed. What happened stands in %LOCALAPPDATA%\Causeway\setup.log.

Unicode true
ManifestDPIAware true
RequestExecutionLevel user
Name "Causeway"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\Causeway"
InstallDirRegKey HKCU "Software\Causeway" "InstallDir"
SetCompressor lzma
BrandingText "Causeway ${VERSION}"
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "Causeway"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Sets Causeway up: Docker and Kubernetes on WSL 2"
VIAddVersionKey "LegalCopyright" "Apache-2.0"

!include MUI2.nsh
!include FileFunc.nsh
!include LogicLib.nsh
!include x64.nsh
!include windows_path.nsh

!define KEY "Software\Causeway"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Causeway"
!define LXSS "Software\Microsoft\Windows\CurrentVersion\Lxss"
!define FREE_MB 1500 ; unpacked, and room for the engine to start

Var Distro      ; its name
Var DistroDir   ; where its disk is
Var LogFile     ; setup.log
Var Found       ; of FindDistro: the key of the distro so named, or empty
Var FoundDir    ; its folder
Var FoundState  ; 1: installed
Var Output      ; of the last command
Var Code        ; its exit code, or "error"
Var NoStart
Var NoAutostart

!define MUI_ABORTWARNING
!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_LICENSE "${LICENCE}"
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_COMPONENTS
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; ---- What both programs use: each function exists twice, as NSIS wants it ----------------------------

!macro COMMON un

; A line for the log, from $0.
Function ${un}Log
  DetailPrint "$0"
  CreateDirectory "$LOCALAPPDATA\Causeway"
  ClearErrors
  FileOpen $9 "$LogFile" a
  ${IfNot} ${Errors}
    FileSeek $9 0 END
    FileWriteUTF16LE $9 "$0$\r$\n"
    FileClose $9
  ${EndIf}
FunctionEnd

; Tells the reason in $0 and ends with the exit code in $1. What is undone was undone before.
Function ${un}Fail
  Call ${un}Log
  MessageBox MB_OK|MB_ICONSTOP "$0" /SD IDOK
  SetErrorLevel $1
  Abort
FunctionEnd

; Runs the command line in $0; sets $Code and $Output.
Function ${un}Run
  Call ${un}Log
  nsExec::ExecToStack '$0'
  Pop $Code
  Pop $Output
  StrCpy $0 "  exit code $Code $Output"
  Call ${un}Log
FunctionEnd

; Looks for $Distro among this user's distros, in the registry: to ask wsl.exe could start something.
Function ${un}FindDistro
  StrCpy $Found ""
  StrCpy $1 0
  ${Do}
    EnumRegKey $2 HKCU "${LXSS}" $1
    ${If} $2 == ""
      ${ExitDo}
    ${EndIf}
    ReadRegStr $3 HKCU "${LXSS}\$2" "DistributionName"
    ${If} $3 == $Distro
      StrCpy $Found $2
      ReadRegStr $FoundDir HKCU "${LXSS}\$2" "BasePath"
      StrCpy $3 $FoundDir 4
      ${If} $3 == "\\?\"
        StrCpy $FoundDir $FoundDir "" 4
      ${EndIf}
      ReadRegDWORD $FoundState HKCU "${LXSS}\$2" "State"
      ${ExitDo}
    ${EndIf}
    IntOp $1 $1 + 1
  ${Loop}
FunctionEnd

Function ${un}Prepare
  SetShellVarContext current
  StrCpy $LogFile "$LOCALAPPDATA\Causeway\setup.log"
  ; wsl.exe prints UTF-16 otherwise.
  System::Call 'kernel32::SetEnvironmentVariable(t "WSL_UTF8", t "1")'
  ReadRegStr $Distro HKCU "${KEY}" "Distro"
  ReadRegStr $DistroDir HKCU "${KEY}" "DistroDir"
FunctionEnd

!macroend
!insertmacro COMMON ""
!insertmacro COMMON "un."

; ---- Install ---------------------------------------------------------------------------------------

Function .onInit
  Call Prepare
  ${GetParameters} $0
  ${GetOptions} $0 "/DISTRO=" $1
  ${IfNot} ${Errors}
    ReadRegStr $2 HKCU "${KEY}" "Importing"
    ${If} $Distro == ""
    ${OrIf} $2 != "" ; nothing came of that one
      StrCpy $Distro $1
    ${ElseIf} $Distro != $1
      StrCpy $0 "Causeway is installed with the distro $Distro already: uninstall it first to use $1."
      StrCpy $1 11
      Call Fail
    ${EndIf}
  ${EndIf}
  ${GetOptions} $0 "/NOSTART" $NoStart
  StrCpy $NoStart ""
  ${IfNot} ${Errors}
    StrCpy $NoStart 1
  ${EndIf}
  ${GetOptions} $0 "/NOAUTOSTART" $NoAutostart
  StrCpy $NoAutostart ""
  ${IfNot} ${Errors}
    StrCpy $NoAutostart 1
  ${EndIf}
  ${If} $Distro == ""
    StrCpy $Distro "docker-desktop"
  ${EndIf}
  ${If} $DistroDir == ""
    StrCpy $DistroDir "$LOCALAPPDATA\Causeway\distro"
  ${EndIf}
FunctionEnd

Function CheckWsl
  ${IfNot} ${IsNativeAMD64}
    ; WSL's Linux is the machine's own: programs for another one don't run there, though Windows' do.
    StrCpy $0 "This setup is for x86-64 machines, and this one has another processor. Nothing was installed."
    StrCpy $1 10
    Call Fail
  ${EndIf}
  ${IfNot} ${FileExists} "$SYSDIR\wsl.exe"
    StrCpy $Code "error"
  ${Else}
    StrCpy $0 '"$SYSDIR\wsl.exe" --version'
    Call Run
  ${EndIf}
  ${If} $Code != 0
    StrCpy $0 "Causeway needs WSL 2, and this machine has none, or one that is too old. Open a terminal as administrator and run$\r$\n$\r$\n    wsl --install --no-distribution$\r$\n$\r$\n(or, where WSL is there already: wsl --update). Restart Windows if it asks for it, then run this setup again. Nothing was installed."
    StrCpy $1 10
    Call Fail
  ${EndIf}
FunctionEnd

; A distro of our name: ours, somebody else's, or half of ours from an import that died.
Function CheckDistro
  Call FindDistro
  ReadRegStr $3 HKCU "${KEY}" "Importing"
  ${If} $Found != ""
  ${AndIf} $FoundDir != $DistroDir
    ; Nothing of ours says that it is ours.
    ${If} $3 == ""
    ${AndIf} $Distro == "docker-desktop"
      StrCpy $4 $Distro
      StrCpy $Distro "causeway"
      Call FindDistro
      ${If} $Found == ""
        MessageBox MB_YESNO|MB_ICONQUESTION "There is a WSL distro $4 that isn't Causeway's (Docker Desktop has one of that name). It stays as it is. Use the name causeway instead?" /SD IDNO IDYES other_name
      ${EndIf}
      StrCpy $Distro $4
    ${EndIf}
    StrCpy $0 "There is a WSL distro $Distro that isn't Causeway's. It was not touched, and nothing was installed. Choose another name (setup /DISTRO=causeway), or remove that distro yourself if you don't need it: Docker Desktop's goes with Docker Desktop."
    StrCpy $1 11
    Call Fail
    other_name:
  ${EndIf}
  ${If} $3 != ""
    ; Its import never ended: there can be no data in it.
    StrCpy $0 "removing what is left of an import that did not end"
    Call Log
    Call RemoveHalf
  ${EndIf}
FunctionEnd

; What an import that failed has left, under the name that it had: only if it is in our folder.
Function RemoveHalf
  StrCpy $4 $Distro
  ReadRegStr $Distro HKCU "${KEY}" "Distro"
  Call FindDistro
  ${If} $Found != ""
  ${AndIf} $FoundDir == $DistroDir
    StrCpy $0 '"$SYSDIR\wsl.exe" --unregister $Distro'
    Call Run
  ${EndIf}
  Delete "$DistroDir\ext4.vhdx"
  RMDir "$DistroDir"
  DeleteRegValue HKCU "${KEY}" "Importing"
  StrCpy $Distro $4
  Call FindDistro
FunctionEnd

Function ImportDistro
  ${GetRoot} "$LOCALAPPDATA" $1
  ${DriveSpace} "$1\" "/D=F /S=M" $2
  ${If} $2 < ${FREE_MB}
    StrCpy $0 "There are $2 MB left on drive $1, and Causeway needs ${FREE_MB} MB. Make room and run this setup again. Nothing was installed."
    StrCpy $1 14
    Call Fail
  ${EndIf}
  ; The marker first: whatever happens from here on, the folder and what is registered in it are known as ours.
  WriteRegStr HKCU "${KEY}" "Distro" "$Distro"
  WriteRegStr HKCU "${KEY}" "DistroDir" "$DistroDir"
  WriteRegStr HKCU "${KEY}" "Importing" "${VERSION}"
  CreateDirectory "$DistroDir"
  StrCpy $0 '"$SYSDIR\wsl.exe" --import $Distro "$DistroDir" "$PLUGINSDIR\distro.tar.gz" --version 2'
  Call Run
  Call FindDistro
  ${If} $Code != 0
  ${OrIf} $Found == ""
    StrCpy $5 $Output
    Call RemoveHalf
    DeleteRegKey HKCU "${KEY}"
    StrCpy $0 "WSL could not import the distro $Distro: $5$\r$\nWhat it had begun was removed. Run this setup again; if it fails the same way: wsl --update."
    StrCpy $1 12
    Call Fail
  ${EndIf}
  DeleteRegValue HKCU "${KEY}" "Importing"
FunctionEnd

; The new version beside the old one in the distro, which keeps its data.
Function UpgradeDistro
  StrCpy $0 '"$SYSDIR\wsl.exe" -d $Distro -u root --exec /usr/libexec/causeway/versions stop'
  Call Run
  ; cmd.exe gives the archive to wsl.exe as its standard input: that works without a drive mounted in the distro.
  StrCpy $0 '"$SYSDIR\cmd.exe" /d /s /c ""$SYSDIR\wsl.exe" -d $Distro -u root --exec /usr/libexec/causeway/versions add < "$PLUGINSDIR\distro.tar.gz""'
  Call Run
  ${If} $Code != 0
    StrCpy $5 $Output
    ${If} ${FileExists} "$INSTDIR\bin\causewayw.exe"
    ${AndIf} $NoStart == ""
      Exec '"$INSTDIR\bin\causewayw.exe" start'
    ${EndIf}
    StrCpy $0 "The new version could not be added to the distro $Distro: $5$\r$\nThe version that was there and all data are as before."
    StrCpy $1 13
    Call Fail
  ${EndIf}
FunctionEnd

Section "Causeway"
  SetOutPath "$PLUGINSDIR"
  Call CheckWsl
  Call CheckDistro
  SetCompress off
  File "/oname=distro.tar.gz" "${ROOTFS}"
  SetCompress auto
  ${If} ${FileExists} "$INSTDIR\bin\causeway.exe"
    ; Its files are in use otherwise.
    StrCpy $0 '"$INSTDIR\bin\causeway.exe" stop'
    Call Run
  ${EndIf}
  ${If} $Found == ""
    Call ImportDistro
    StrCpy $6 "imported"
  ${Else}
    Call UpgradeDistro
    StrCpy $6 ""
  ${EndIf}

  ClearErrors
  SetOverwrite try
  SetOutPath "$INSTDIR"
  File "/oname=LICENSE.txt" "${LICENCE}"
  SetOutPath "$INSTDIR\bin"
  File "${SHIM}/causeway.exe"
  File "${SHIM}/causewayw.exe"
!ifdef DOCKER_EXE
  File "${CLIENTS}/docker.exe"
!endif
!ifdef KUBECTL_EXE
  File "${CLIENTS}/kubectl.exe"
!endif
  ${If} ${Errors}
    ${If} $6 == "imported"
      StrCpy $0 '"$SYSDIR\wsl.exe" --unregister $Distro'
      Call Run
      RMDir "$DistroDir"
      DeleteRegKey HKCU "${KEY}"
    ${EndIf}
    StrCpy $0 "The programs could not be written to $INSTDIR: close what uses them, or make room, and run this setup again."
    StrCpy $1 14
    Call Fail
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"
  ${AddToUserPath} "$INSTDIR\bin"

  WriteRegStr HKCU "${KEY}" "InstallDir" "$INSTDIR"
  WriteRegStr HKCU "${KEY}" "Version" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "Causeway"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\bin\causeway.exe"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1

  ; The program's settings are the user's: written only where there are none.
  ${If} $Distro != "docker-desktop"
    ${If} ${FileExists} "$LOCALAPPDATA\Causeway\settings.json"
      StrCpy $0 'settings.json is there: see that it says "distro": "$Distro"'
      Call Log
    ${Else}
      FileOpen $9 "$LOCALAPPDATA\Causeway\settings.json" w
      FileWrite $9 '{"distro": "$Distro"}$\n'
      FileClose $9
    ${EndIf}
  ${EndIf}
  ${If} $NoAutostart == ""
    StrCpy $0 '"$INSTDIR\bin\causeway.exe" install-autostart'
    Call Run
  ${EndIf}
  ${If} $NoStart == ""
    Exec '"$INSTDIR\bin\causewayw.exe" start'
  ${EndIf}
  StrCpy $0 "Causeway ${VERSION} is installed; distro $Distro"
  Call Log
SectionEnd

; ---- Uninstall -------------------------------------------------------------------------------------

; Ours is only what has our name and lies in our folder.
Function un.RemoveDistro
  Call un.FindDistro
  ${If} $Found != ""
    ${If} $FoundDir != $DistroDir
      StrCpy $0 "The distro $Distro in $FoundDir isn't Causeway's: it stays."
      Call un.Log
      Return
    ${EndIf}
    StrCpy $0 '"$SYSDIR\wsl.exe" --unregister $Distro'
    Call un.Run
    Call un.FindDistro
    ${If} $Found != ""
      StrCpy $0 "WSL could not remove the distro $Distro: $Output$\r$\nClose what uses it (wsl --terminate $Distro) and uninstall again. Nothing else was removed."
      StrCpy $1 15
      Call un.Fail
    ${EndIf}
  ${EndIf}
  ${If} $DistroDir != ""
    Delete "$DistroDir\ext4.vhdx"
    RMDir "$DistroDir"
  ${EndIf}
FunctionEnd

; Takes docker.sock, links and the group out of the user's distros again, while the program and the engine still run: only they know what
; they have added. Without them nothing is known, and a note in the log says so.
Section "-un.Distros"
  StrCpy $6 0
  ${Do}
    EnumRegKey $2 HKCU "${LXSS}" $6
    ${If} $2 == ""
      ${ExitDo}
    ${EndIf}
    ReadRegStr $3 HKCU "${LXSS}\$2" "DistributionName"
    ${If} $3 != ""
    ${AndIf} $3 != $Distro
      StrCpy $0 '"$INSTDIR\bin\causeway.exe" distro disable "$3"'
      Call un.Run
    ${EndIf}
    IntOp $6 $6 + 1
  ${Loop}
  StrCpy $0 '"$INSTDIR\bin\causeway.exe" stop'
  Call un.Run
SectionEnd

Section /o "un.Images, containers and volumes (the distro), settings, logs" un_data
  Call un.RemoveDistro
SectionEnd

Section "un.Causeway" un_programs
  SectionIn RO
  ReadRegStr $0 HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "Causeway"
  ${If} $0 != ""
    StrCpy $0 '"$INSTDIR\bin\causeway.exe" remove-autostart'
    Call un.Run
  ${EndIf}
  ${un.RemoveFromUserPath} "$INSTDIR\bin"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  ${If} ${SectionIsSelected} ${un_data}
    Delete "$LOCALAPPDATA\Causeway\settings.json"
    Delete "$LOCALAPPDATA\Causeway\distros.json"
    Delete "$LOCALAPPDATA\Causeway\causeway.log*"
    Delete "$LogFile"
    RMDir "$LOCALAPPDATA\Causeway"
    DeleteRegKey HKCU "${KEY}"
  ${Else}
    ; Whose the distro is stays known, for the next setup.
    DeleteRegValue HKCU "${KEY}" "InstallDir"
    DeleteRegValue HKCU "${KEY}" "Version"
    StrCpy $0 "uninstalled; the distro $Distro and its data are kept"
    Call un.Log
  ${EndIf}
  ; Last, so that who sees it gone knows that all is done.
  Delete "$INSTDIR\bin\docker.exe"
  Delete "$INSTDIR\bin\kubectl.exe"
  Delete "$INSTDIR\bin\causeway.exe"
  Delete "$INSTDIR\bin\causewayw.exe"
  RMDir "$INSTDIR\bin"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\uninstall.exe"
  SetOutPath "$TEMP"
  RMDir "$INSTDIR"
SectionEnd

Function un.onInit
  Call un.Prepare
  ${GetParameters} $0
  ${GetOptions} $0 "/REMOVEDATA" $1
  ${IfNot} ${Errors}
    SectionGetFlags ${un_data} $1
    IntOp $1 $1 | 1
    SectionSetFlags ${un_data} $1
  ${EndIf}
FunctionEnd
